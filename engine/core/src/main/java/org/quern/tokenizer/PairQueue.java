package org.quern.tokenizer;

import java.util.Arrays;

/// A heap of pairs with the words to merge them in: the highest count first, then the smallest pair.
final class PairQueue {
    private long[] counts = new long[1 << 10];
    private long[] pairs = new long[1 << 10];
    private int[][] words = new int[1 << 10][];
    private int size;

    boolean isEmpty() {
        return size == 0;
    }

    long topCount() {
        return counts[0];
    }

    long topPair() {
        return pairs[0];
    }

    int[] topWords() {
        return words[0];
    }

    void push(long count, long pair, int[] in) {
        if (size == counts.length) {
            counts = Arrays.copyOf(counts, 2 * size);
            pairs = Arrays.copyOf(pairs, 2 * size);
            words = Arrays.copyOf(words, 2 * size);
        }
        int i = size++;
        while (i > 0) {
            int parent = i - 1 >>> 1;
            if (!precedes(count, pair, parent)) {
                break;
            }
            set(i, counts[parent], pairs[parent], words[parent]);
            i = parent;
        }
        set(i, count, pair, in);
    }

    /// Gives the top another count, and with it its place.
    void recountTop(long count) {
        sink(count, pairs[0], words[0]);
    }

    void removeTop() {
        size--;
        sink(counts[size], pairs[size], words[size]);
        words[size] = null;
    }

    /// Puts an entry where it belongs, the top being free.
    private void sink(long count, long pair, int[] in) {
        int i = 0;
        for (int child = 1; child < size; child = 2 * i + 1) {
            if (child + 1 < size && precedes(counts[child + 1], pairs[child + 1], child)) {
                child++;
            }
            if (precedes(count, pair, child)) {
                break;
            }
            set(i, counts[child], pairs[child], words[child]);
            i = child;
        }
        set(i, count, pair, in);
    }

    private boolean precedes(long count, long pair, int other) {
        return count != counts[other] ? count > counts[other] : pair < pairs[other];
    }

    private void set(int i, long count, long pair, int[] in) {
        counts[i] = count;
        pairs[i] = pair;
        words[i] = in;
    }
}
