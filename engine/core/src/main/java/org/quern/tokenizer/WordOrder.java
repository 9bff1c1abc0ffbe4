package org.quern.tokenizer;

import java.util.Arrays;

/// Sorts the numbers of words by the bytes of the words (unsigned), comparing their first eight bytes at once.
final class WordOrder {
    private static final int SMALL = 12;

    private final WordTable words;
    /// By word: its first bytes, the first one highest, so that unsigned order is that of the bytes.
    private final long[] keys;

    WordOrder(WordTable words) {
        this.words = words;
        keys = new long[words.size()];
        byte[] bytes = words.bytes();
        for (int word = 0; word < keys.length; word++) {
            int end = words.end(word);
            int at = words.start(word);
            for (int i = 0; i < Long.BYTES; i++) {
                keys[word] = keys[word] << Byte.SIZE | (at < end ? bytes[at++] & 0xFF : 0);
            }
        }
    }

    int[] sorted() {
        int[] order = new int[keys.length];
        Arrays.setAll(order, word -> word);
        sort(order.clone(), order, 0, order.length);
        return order;
    }

    private boolean precedes(int a, int b) {
        if (keys[a] != keys[b]) {
            return Long.compareUnsigned(keys[a], keys[b]) < 0;
        }
        byte[] bytes = words.bytes();
        return Arrays.compareUnsigned(bytes, words.start(a), words.end(a), bytes, words.start(b), words.end(b)) < 0;
    }

    /// Sorts `[from, to)` of `result`; `source` holds the same.
    private void sort(int[] source, int[] result, int from, int to) {
        if (to - from <= SMALL) {
            for (int i = from + 1; i < to; i++) {
                int word = result[i];
                int at = i;
                while (at > from && precedes(word, result[at - 1])) {
                    result[at] = result[at - 1];
                    at--;
                }
                result[at] = word;
            }
            return;
        }
        int middle = from + to >>> 1;
        sort(result, source, from, middle);
        sort(result, source, middle, to);
        int left = from;
        int right = middle;
        for (int i = from; i < to; i++) {
            boolean takeRight = left == middle || right < to && precedes(source[right], source[left]);
            result[i] = source[takeRight ? right++ : left++];
        }
    }
}
