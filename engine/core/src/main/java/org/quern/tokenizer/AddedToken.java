package org.quern.tokenizer;

import java.nio.charset.StandardCharsets;

/// A token that is found in text as a whole, before words are split.
///
/// @param special a mark such as end-of-text, which plain [Tokenizer#encode] does not look for
/// @param normalized found only between those that are not (the names are those of `tokenizer.json`)
public record AddedToken(int id, String content, boolean special, boolean normalized) {
    /// A mark such as end-of-text.
    public static AddedToken special(int id, String content) {
        return new AddedToken(id, content, true, false);
    }

    byte[] utf8() {
        return content.getBytes(StandardCharsets.UTF_8);
    }
}
