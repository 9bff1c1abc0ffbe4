package org.quern.tokenizer;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/// Numbers distinct byte strings 0, 1, 2, ... in the order in which they come.
final class WordTable {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private byte[] bytes = new byte[1 << 12];
    private int[] ends = new int[1 << 8];
    /// `hash << 32 | (word number plus 1)`, or 0.
    private long[] slots = new long[1 << 9];
    private int size;

    int size() {
        return size;
    }

    /// The bytes of memory that it takes.
    long memory() {
        return bytes.length + (long) Integer.BYTES * ends.length + (long) Long.BYTES * slots.length;
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

    /// The number of a byte string, or -1.
    int find(byte[] text, int from, int to) {
        return (int) slots[slot(hash(text, from, to), text, from, to)] - 1;
    }

    /// The number of a byte string, which is given one if it has none.
    int add(byte[] text, int from, int to) {
        int hash = hash(text, from, to);
        int slot = slot(hash, text, from, to);
        if (slots[slot] != 0) {
            return (int) slots[slot] - 1;
        }
        int start = size == 0 ? 0 : ends[size - 1];
        int end = Math.addExact(start, to - from);
        if (end > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.clamp(2L * bytes.length, end, Integer.MAX_VALUE - 8));
        }
        System.arraycopy(text, from, bytes, start, to - from);
        if (size == ends.length) {
            ends = Arrays.copyOf(ends, 2 * size);
        }
        ends[size] = end;
        slots[slot] = (long) hash << 32 | ++size;
        if (2 * size > slots.length) {
            enlarge();
        }
        return size - 1;
    }

    private void enlarge() {
        long[] old = slots;
        slots = new long[2 * old.length];
        int mask = slots.length - 1;
        for (long entry : old) {
            if (entry != 0) {
                int slot = (int) (entry >>> 32) & mask;
                while (slots[slot] != 0) {
                    slot = slot + 1 & mask;
                }
                slots[slot] = entry;
            }
        }
    }

    private int slot(int hash, byte[] text, int from, int to) {
        int mask = slots.length - 1;
        int slot = hash & mask;
        for (long entry = slots[slot]; entry != 0; entry = slots[slot]) {
            int word = (int) entry - 1;
            if ((int) (entry >>> 32) == hash && Arrays.equals(bytes, start(word), ends[word], text, from, to)) {
                break;
            }
            slot = slot + 1 & mask;
        }
        return slot;
    }

    private static int hash(byte[] text, int from, int to) {
        long hash = to - from;
        int i = from;
        for (; i + Long.BYTES <= to; i += Long.BYTES) {
            hash = (hash ^ (long) LONG.get(text, i)) * 0x9E3779B97F4A7C15L;
            hash ^= hash >>> 32;
        }
        long rest = 0;
        for (; i < to; i++) {
            rest = rest << 8 | text[i] & 0xFF;
        }
        hash = (hash ^ rest) * 0x9E3779B97F4A7C15L;
        return (int) (hash >>> 32);
    }
}
