package org.quern.corpus.filter;

import java.util.Arrays;

/// A large set of strings of which only 64-bit hashes are kept: 16 bytes each, and one wrong hit in 10^12
/// look-ups among ten million.
public final class HashedStrings {
    private static final long MULTIPLIER = 0x9e3779b97f4a7c15L;

    private long[] slots = new long[1 << 8];
    private int size;

    void add(CharSequence text) {
        if (2 * size >= slots.length) {
            long[] old = slots;
            slots = new long[2 * old.length];
            for (long hash : old) {
                slots[slot(hash)] = hash;
            }
        }
        long hash = hash(text, 0, text.length());
        int slot = slot(hash);
        size += slots[slot] == 0 ? 1 : 0;
        slots[slot] = hash;
    }

    boolean contains(CharSequence text, int start, int end) {
        return slots[slot(hash(text, start, end))] != 0;
    }

    /// How many different strings there are.
    public int size() {
        return size;
    }

    HashedStrings copy() {
        HashedStrings copy = new HashedStrings();
        copy.slots = Arrays.copyOf(slots, slots.length);
        copy.size = size;
        return copy;
    }

    private int slot(long hash) {
        int mask = slots.length - 1;
        int slot = (int) (hash >>> 32) & mask;
        while (slots[slot] != 0 && slots[slot] != hash) {
            slot = slot + 1 & mask;
        }
        return slot;
    }

    /// Never zero, which marks a free slot.
    private static long hash(CharSequence text, int start, int end) {
        long hash = end - start;
        for (int i = start; i < end; i++) {
            hash = (Long.rotateLeft(hash, 5) ^ text.charAt(i)) * MULTIPLIER;
        }
        hash ^= hash >>> 32;
        return hash == 0 ? 1 : hash * MULTIPLIER;
    }
}
