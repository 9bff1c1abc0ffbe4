package org.quern.tokenizer;

import java.util.Arrays;
import java.util.stream.IntStream;

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
            add(text, start, end, 1);
            start = end;
        }
    }

    void add(WordCounts other) {
        for (int word = 0; word < other.size(); word++) {
            add(other.words.bytes(), other.words.start(word), other.words.end(word), other.counts[word]);
        }
    }

    private void add(byte[] text, int from, int to, long count) {
        int word = words.add(text, from, to);
        if (word == counts.length) {
            counts = Arrays.copyOf(counts, 2 * word);
        }
        counts[word] += count;
    }

    int size() {
        return words.size();
    }

    long count(int word) {
        return counts[word];
    }

    WordTable words() {
        return words;
    }

    /// The words in the order of their bytes, so that nothing depends on which thread met them first.
    int[] sorted() {
        byte[] bytes = words.bytes();
        return IntStream.range(0, size())
                .boxed()
                .sorted((a, b) -> Arrays.compareUnsigned(
                        bytes, words.start(a), words.end(a), bytes, words.start(b), words.end(b)))
                .mapToInt(Integer::intValue)
                .toArray();
    }
}
