package org.quern.tokenizer;

import java.util.Arrays;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Words and how often they occur, packed, in the order in which they came.
final class WordList {
    private static final Logger LOG = LoggerFactory.getLogger(WordList.class);

    /// What [MergeLearner] needs for a word, and for each of its bytes.
    private static final long COST_OF_WORD = 48;

    private static final long COST_OF_BYTE = 16;
    /// Counts from here on are treated alike when rare words are left out.
    private static final int COMMON = 1 << 10;

    private byte[] bytes = new byte[1 << 12];
    private int[] ends = new int[1 << 8];
    private long[] counts = new long[1 << 8];
    private int size;

    /// All words, or those that fit: if they need more than `memory` bytes, words that occur once are left out, then
    /// those that occur twice, and so on, with a warning. Which are left out does not depend on how the text was
    /// divided.
    ///
    /// @param open goes through the words from the start
    static WordList read(Supplier<WordCursor> open, long memory) {
        long[] costs = new long[COMMON + 1];
        long[] words = new long[COMMON + 1];
        long[] occurrences = new long[COMMON + 1];
        try (WordCursor cursor = open.get()) {
            while (cursor.next()) {
                int count = (int) Math.min(COMMON, cursor.count());
                costs[count] += COST_OF_WORD + COST_OF_BYTE * (cursor.to() - cursor.from());
                words[count]++;
                occurrences[count] += cursor.count();
            }
        }
        long cost = Arrays.stream(costs).sum();
        int least = 1;
        while (cost > memory && least < COMMON) {
            cost -= costs[least++];
        }
        if (least > 1) {
            long all = Arrays.stream(occurrences).sum();
            long left = Arrays.stream(occurrences, 0, least).sum();
            LOG.warn(
                    "{} different words need more memory than there is: {} that occur less than {} times"
                            + " ({} % of the text) are left out; with a larger heap (-Xmx) none would be",
                    Arrays.stream(words).sum(),
                    Arrays.stream(words, 0, least).sum(),
                    least,
                    "%.2f".formatted(100.0 * left / all));
        }
        WordList list = new WordList();
        try (WordCursor cursor = open.get()) {
            while (cursor.next()) {
                if (cursor.count() >= least) {
                    list.add(cursor);
                }
            }
        }
        return list;
    }

    private void add(WordCursor cursor) {
        int length = cursor.to() - cursor.from();
        int start = size == 0 ? 0 : ends[size - 1];
        int end = Math.addExact(start, length);
        if (end > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.clamp(bytes.length * 3L / 2, end, Integer.MAX_VALUE - 8));
        }
        if (size == ends.length) {
            ends = Arrays.copyOf(ends, size + size / 2);
            counts = Arrays.copyOf(counts, size + size / 2);
        }
        System.arraycopy(cursor.bytes(), cursor.from(), bytes, start, length);
        ends[size] = end;
        counts[size++] = cursor.count();
    }

    int size() {
        return size;
    }

    byte[] bytes() {
        return bytes;
    }

    int start(int word) {
        return word == 0 ? 0 : ends[word - 1];
    }

    int end(int word) {
        return ends[word];
    }

    long count(int word) {
        return counts[word];
    }
}
