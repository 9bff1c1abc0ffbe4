package org.quern.tokenizer;

/// Merges a long word in O(n log n): the tokens are a linked list through their first bytes, the possible
/// merges a heap of (merge, position), in which entries that no longer hold are recognised when they come up.
final class LongWord {
    private static final int DEAD = -1;

    private final MergeTable merges;

    private int[] symbols = new int[0];
    private int[] previous;
    private int[] following;
    private long[] heap;
    private int heapSize;

    LongWord(MergeTable merges) {
        this.merges = merges;
    }

    void merge(byte[] text, int from, int to, TokenBuffer out) {
        int length = to - from;
        if (length > symbols.length) {
            symbols = new int[length];
            previous = new int[length];
            following = new int[length];
            // An entry for each pair at first; a merge takes one out and brings two.
            heap = new long[2 * length];
        }
        heapSize = 0;
        for (int i = 0; i < length; i++) {
            symbols[i] = text[from + i] & 0xFF;
            previous[i] = i - 1;
            following[i] = i + 1;
        }
        for (int i = 0; i + 1 < length; i++) {
            offer(i, i + 1);
        }
        while (heapSize > 0) {
            long top = poll();
            int left = (int) top;
            if (symbols[left] == DEAD || following[left] == length) {
                continue;
            }
            int right = following[left];
            int merge = merges.get(symbols[left], symbols[right]);
            if (merge != top >>> 32) {
                continue;
            }
            symbols[left] = MergeTable.FIRST + merge;
            symbols[right] = DEAD;
            following[left] = following[right];
            if (following[left] < length) {
                previous[following[left]] = left;
                offer(left, following[left]);
            }
            if (previous[left] >= 0) {
                offer(previous[left], left);
            }
        }
        for (int i = 0; i < length; i = following[i]) {
            out.add(merges.id(symbols[i]));
        }
    }

    private void offer(int left, int right) {
        int merge = merges.get(symbols[left], symbols[right]);
        if (merge == MergeTable.NONE) {
            return;
        }
        long entry = (long) merge << 32 | left;
        int i = heapSize++;
        while (i > 0 && heap[i - 1 >>> 1] > entry) {
            heap[i] = heap[i - 1 >>> 1];
            i = i - 1 >>> 1;
        }
        heap[i] = entry;
    }

    private long poll() {
        long top = heap[0];
        long last = heap[--heapSize];
        int i = 0;
        for (int child = 1; child < heapSize; child = 2 * i + 1) {
            if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
                child++;
            }
            if (heap[child] >= last) {
                break;
            }
            heap[i] = heap[child];
            i = child;
        }
        heap[i] = last;
        return top;
    }
}
