package org.quern.tokenizer;

import java.util.Arrays;

/// How often each word occurs.
final class WordCounts {
    private final SplitPattern pattern;
    private final WordTable words = new WordTable();
    private long[] counts = new long[1 << 10];

    WordCounts(SplitPattern pattern) {
        this.pattern = pattern;
    }

    void count(byte[] text) {
        int start = 0;
        while (start < text.length) {
            int end = pattern.next(text, start, text.length);
            int word = words.add(text, start, end);
            if (word == counts.length) {
                counts = Arrays.copyOf(counts, 2 * word);
            }
            counts[word]++;
            start = end;
        }
    }

    int size() {
        return words.size();
    }

    /// The bytes of memory that it takes.
    long memory() {
        return words.memory() + (long) Long.BYTES * counts.length;
    }

    /// The words in order.
    WordCursor cursor() {
        int[] order = new WordOrder(words).sorted();
        return new WordCursor() {
            private int at = -1;

            @Override
            public boolean next() {
                return ++at < order.length;
            }

            @Override
            public byte[] bytes() {
                return words.bytes();
            }

            @Override
            public int from() {
                return words.start(order[at]);
            }

            @Override
            public int to() {
                return words.end(order[at]);
            }

            @Override
            public long count() {
                return counts[order[at]];
            }
        };
    }
}
