package org.quern.data;

import org.quern.base.QuernException;
import org.quern.tokenizer.Tokenizer;

/// What tokens mean.
///
/// @param tokenizer its hash, SHA-256 in hexadecimal
/// @param vocabSize tokens are in `[0, vocabSize)`
/// @param endOfText the token before each document
record TokenKind(String tokenizer, int vocabSize, int endOfText) {
    static TokenKind of(Tokenizer tokenizer) {
        int endOfText = tokenizer
                .endOfText()
                .orElseThrow(() -> QuernException.data(
                        "the tokenizer must have an end-of-text token to put between documents: found none among "
                                + tokenizer.addedTokens()));
        return new TokenKind(tokenizer.hash(), tokenizer.vocabSize(), endOfText);
    }

    /// Bytes of a token on disk: 2 or 4.
    int tokenBytes() {
        return vocabSize <= 1 << Short.SIZE ? 2 : 4;
    }
}
