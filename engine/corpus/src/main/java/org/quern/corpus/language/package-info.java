/// Which language a text is in, by fastText's language identification models.
package org.quern.corpus.language;
