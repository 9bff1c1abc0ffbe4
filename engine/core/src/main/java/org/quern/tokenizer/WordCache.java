package org.quern.tokenizer;

import java.util.Arrays;

/// The ids of words that are too long for the packed entries of [Encoder]. When it is full it begins anew.
final class WordCache {
    private static final int MAX_WORDS = 1 << 17;
    private static final int MAX_BYTES = 1 << 22;

    private WordTable words = new WordTable();
    /// The ids of word w lie from `starts[w]` to `starts[w + 1]`.
    private int[] starts = new int[1 << 8];
    private int[] ids = new int[1 << 10];

    /// Appends the ids of a word.
    ///
    /// @return whether the word is known
    boolean get(byte[] text, int from, int to, TokenBuffer out) {
        int word = words.find(text, from, to);
        if (word < 0) {
            return false;
        }
        out.addAll(ids, starts[word], starts[word + 1] - starts[word]);
        return true;
    }

    /// Keeps the ids of a word that is not known.
    void put(byte[] text, int from, int to, int[] tokens, int first, int count) {
        if (words.size() == MAX_WORDS || (words.size() > 0 && words.end(words.size() - 1) + to - from > MAX_BYTES)) {
            words = new WordTable();
        }
        int word = words.add(text, from, to);
        int start = starts[word];
        if (word + 2 > starts.length) {
            starts = Arrays.copyOf(starts, 2 * starts.length);
        }
        if (start + count > ids.length) {
            ids = Arrays.copyOf(ids, Math.max(2 * ids.length, start + count));
        }
        System.arraycopy(tokens, first, ids, start, count);
        starts[word + 1] = start + count;
    }
}
