/// Configuration files: a strict binding of YAML to records ([ConfigReader], [ConfigWriter]), and the records of a
/// training run ([RunConfig]).
package org.quern.config;
