/// A page that shows runs while they go on.
package org.quern.launcher.dashboard;
