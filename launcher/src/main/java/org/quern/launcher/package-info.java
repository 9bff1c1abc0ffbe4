/// The command line.
package org.quern.launcher;
