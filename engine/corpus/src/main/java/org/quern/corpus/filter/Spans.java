package org.quern.corpus.filter;

import java.util.Arrays;

/// Parts of a text, by where they start and end; a list that is filled again for the next text.
final class Spans {
    private int[] starts = new int[1 << 8];
    private int[] ends = new int[1 << 8];
    private int count;

    void clear() {
        count = 0;
    }

    void add(int start, int end) {
        if (count == starts.length) {
            starts = Arrays.copyOf(starts, 2 * count);
            ends = Arrays.copyOf(ends, 2 * count);
        }
        starts[count] = start;
        ends[count++] = end;
    }

    int count() {
        return count;
    }

    int start(int index) {
        return starts[index];
    }

    int end(int index) {
        return ends[index];
    }
}
