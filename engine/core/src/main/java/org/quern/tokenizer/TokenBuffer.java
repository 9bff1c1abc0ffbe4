package org.quern.tokenizer;

import java.util.Arrays;

/// A growing list of token ids that is filled, read and cleared again without allocation.
public final class TokenBuffer {
    private int[] ids = new int[1024];
    private int size;

    public int size() {
        return size;
    }

    public int get(int i) {
        return ids[i];
    }

    public void add(int id) {
        reserve(1);
        ids[size++] = id;
    }

    public void clear() {
        size = 0;
    }

    /// The ids so far, in the first `size()` places; valid until the next change.
    public int[] array() {
        return ids;
    }

    public int[] toArray() {
        return Arrays.copyOf(ids, size);
    }

    /// Appends up to four ids, two in each long, the lower half first; the ids after the last are negative.
    void addFour(long first, long second) {
        reserve(4);
        int[] to = ids;
        int n = size;
        to[n] = (int) first;
        to[n + 1] = (int) (first >> 32);
        to[n + 2] = (int) second;
        to[n + 3] = (int) (second >> 32);
        size = n + 4 + (to[n + 1] >> 31) + (to[n + 2] >> 31) + (to[n + 3] >> 31);
    }

    void addAll(int[] more, int from, int count) {
        reserve(count);
        System.arraycopy(more, from, ids, size, count);
        size += count;
    }

    private void reserve(int count) {
        if (ids.length - size < count) {
            int needed = Math.addExact(size, count);
            ids = Arrays.copyOf(ids, Math.clamp(2L * size, needed, Integer.MAX_VALUE - 8));
        }
    }
}
