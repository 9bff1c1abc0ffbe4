package org.quern.tokenizer;

import java.util.Arrays;

/// A map from pairs of ids to longs: open addressing, key and value side by side.
final class PairTable {
    private static final long EMPTY = -1;

    private long[] slots;
    private int size;

    PairTable(int expected) {
        slots = allocate(Math.max(16, Integer.highestOneBit(expected) * 4));
    }

    private static long[] allocate(int entries) {
        long[] slots = new long[2 * entries];
        Arrays.fill(slots, EMPTY);
        return slots;
    }

    static long pair(int left, int right) {
        return (long) left << 32 | right;
    }

    static int left(long pair) {
        return (int) (pair >>> 32);
    }

    static int right(long pair) {
        return (int) pair;
    }

    int size() {
        return size;
    }

    /// The value of `pair`, or `absent`.
    long get(long pair, long absent) {
        int slot = find(pair);
        return slots[slot] == EMPTY ? absent : slots[slot + 1];
    }

    void put(long pair, long value) {
        int slot = claim(pair);
        slots[slot + 1] = value;
    }

    /// Adds to the value of `pair`, which begins as 0, and returns the sum.
    long add(long pair, long amount) {
        int slot = claim(pair);
        return slots[slot + 1] += amount;
    }

    private int claim(long pair) {
        int slot = find(pair);
        if (slots[slot] == EMPTY) {
            if (4 * size >= slots.length) {
                enlarge();
                slot = find(pair);
            }
            slots[slot] = pair;
            slots[slot + 1] = 0;
            size++;
        }
        return slot;
    }

    private int find(long pair) {
        int mask = slots.length - 1;
        long hash = pair * 0x9E3779B97F4A7C15L;
        int slot = (int) (hash >>> 32 ^ hash >>> 15) << 1 & mask;
        while (slots[slot] != pair && slots[slot] != EMPTY) {
            slot = slot + 2 & mask;
        }
        return slot;
    }

    private void enlarge() {
        long[] old = slots;
        slots = allocate(old.length);
        for (int i = 0; i < old.length; i += 2) {
            if (old[i] != EMPTY) {
                int slot = find(old[i]);
                slots[slot] = old[i];
                slots[slot + 1] = old[i + 1];
            }
        }
    }
}
