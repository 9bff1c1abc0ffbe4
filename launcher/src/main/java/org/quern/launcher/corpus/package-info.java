/// A page that shows what a corpus was made of.
package org.quern.launcher.corpus;
