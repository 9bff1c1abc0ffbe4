/// Text classifiers in the file format of fastText: read, applied, trained and written.
///
/// A text is a bag of words, of their character n-grams and of word n-grams, each hashed to a row of a
/// matrix; the mean of the rows is scored by a linear layer. Models of others (language identification,
/// quality) come as `.bin` (dense) or `.ftz` (product quantised); our own are written as `.bin`, so that
/// fastText reads them too.
package org.quern.corpus.fasttext;
