package org.quern.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.quern.base.QuernException;

/// Tokens and their ids, which need not be without gaps. Filled first, then only read.
final class Vocabulary {
    /// Ids are below this.
    static final int MAX_SIZE = 1 << 24;

    private final String source;
    private final WordTable words = new WordTable();
    private int[] idOfWord = new int[1 << 10];
    private byte[][] tokens = new byte[1 << 10][];
    private int size;

    /// @param source the file or the like, for messages
    Vocabulary(String source) {
        this.source = source;
    }

    void add(byte[] token, int id) {
        if (id < 0 || id >= MAX_SIZE) {
            throw QuernException.data(
                    "%s: token \"%s\" has id %d: expected 0 to %d".formatted(source, show(token), id, MAX_SIZE - 1));
        }
        if (token.length == 0) {
            throw QuernException.data("%s: the token with id %d is empty".formatted(source, id));
        }
        if (id >= tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(id + 1, 2 * tokens.length));
        }
        if (tokens[id] != null) {
            throw QuernException.data("%s: id %d is given twice, to \"%s\" and to \"%s\""
                    .formatted(source, id, show(tokens[id]), show(token)));
        }
        int known = words.size();
        int word = words.add(token, 0, token.length);
        if (word < known) {
            throw QuernException.data("%s: token \"%s\" is given twice, with ids %d and %d"
                    .formatted(source, show(token), idOfWord[word], id));
        }
        if (word == idOfWord.length) {
            idOfWord = Arrays.copyOf(idOfWord, 2 * word);
        }
        idOfWord[word] = id;
        tokens[id] = token;
        size = Math.max(size, id + 1);
    }

    private static String show(byte[] token) {
        return new String(token, StandardCharsets.UTF_8);
    }

    /// The file or the like it came from.
    String source() {
        return source;
    }

    /// One more than the highest id.
    int size() {
        return size;
    }

    /// The bytes of a token, null where there is none. Not to be changed.
    byte[] token(int id) {
        return id >= 0 && id < size ? tokens[id] : null;
    }

    int find(byte[] token) {
        return find(token, 0, token.length);
    }

    /// The id of a token, or -1.
    int find(byte[] token, int from, int to) {
        int word = words.find(token, from, to);
        return word < 0 ? -1 : idOfWord[word];
    }
}
