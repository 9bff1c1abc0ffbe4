package org.quern.tokenizer;

/// Goes through words in the order of their bytes (unsigned), each once, with its count. Begins before the first.
interface WordCursor extends AutoCloseable {
    /// Moves to the next word.
    ///
    /// @return false after the last
    boolean next();

    /// Where the word lies: from [#from] to [#to] of this array, until the next move.
    byte[] bytes();

    int from();

    int to();

    long count();

    @Override
    default void close() {}
}
