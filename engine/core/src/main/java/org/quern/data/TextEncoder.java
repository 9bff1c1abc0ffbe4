package org.quern.data;

/// What turns text into tokens. Called by several threads at once.
public interface TextEncoder {
    /// The tokens of one document, which is valid UTF-8: no special ones, also where the text spells one.
    int[] encode(byte[] utf8);

    /// Tokens are in `[0, vocabSize)`.
    int vocabSize();

    /// The token put before each document.
    int endOfText();

    /// SHA-256 of the tokenizer, 64 hexadecimal digits.
    String hash();
}
