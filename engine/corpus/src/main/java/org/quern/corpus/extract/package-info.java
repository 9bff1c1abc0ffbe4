/// A page's text from its HTML: [org.quern.corpus.extract.TextExtractor], and the stage that applies it.
package org.quern.corpus.extract;
