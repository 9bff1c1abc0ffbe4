/// Where the time of a step goes.
package org.quern.train.profile;
