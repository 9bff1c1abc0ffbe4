/// Web pages of the program, served to browsers.
package org.quern.launcher.page;
