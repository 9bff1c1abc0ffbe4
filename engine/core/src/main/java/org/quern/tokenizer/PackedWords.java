package org.quern.tokenizer;

import java.util.Arrays;

/// The ids of words of up to 15 bytes. A word is two longs: its first eight bytes, the first one lowest, and the
/// others below its length and a bit that a piece of a word has. Entries have 32 bytes: the word, then up to four
/// ids, or where more of them lie. They lie in the order in which the words came, so that frequent words, and those
/// of the same part of a text, are near each other; only the index is spread over memory. When there are too many
/// words, all are forgotten.
final class PackedWords {
    static final int MAX_BYTES = 15;

    private static final int LENGTH_SHIFT = 56;
    private static final int MAX_PACKED_TOKENS = 4;
    private static final int MAX_KEPT_TOKENS = 1 << 22;
    private static final int ENTRY = 4;
    private static final int MIN_WORDS = 1 << 8;
    private static final int MAX_WORDS = 1 << 18;
    private static final int NUMBER_BITS = 19;
    private static final long[] LOW_MASK = new long[MAX_BYTES + 1];
    private static final long[] HIGH_MASK = new long[MAX_BYTES + 1];

    static {
        for (int length = 1; length <= MAX_BYTES; length++) {
            LOW_MASK[length] = length >= 8 ? -1 : (1L << 8 * length) - 1;
            HIGH_MASK[length] = length <= 8 ? 0 : (1L << 8 * (length - 8)) - 1;
        }
    }

    private long[] entries = new long[ENTRY * MIN_WORDS];
    private int size;
    /// By hash, the number of the word from 1 on, below some bits of the hash; 0 where there is none.
    private int[] slots = new int[2 * MIN_WORDS];

    private int shift = Long.SIZE - Integer.numberOfTrailingZeros(slots.length);
    /// The ids of the entries that have more than four.
    private int[] many = new int[1 << 8];

    private int manySize;

    /// The first half of a word.
    ///
    /// @param eight the first eight bytes, whether they belong to the word or not
    static long low(long eight, int length) {
        return eight & LOW_MASK[length];
    }

    /// The second half of a word.
    ///
    /// @param eight the bytes from the ninth on
    static long high(long eight, int length) {
        return eight & HIGH_MASK[length] | (long) length << LENGTH_SHIFT;
    }

    /// As above, where fewer bytes are there to be read.
    static long low(byte[] text, int from, int to) {
        return eight(text, from, to);
    }

    static long high(byte[] text, int from, int to) {
        return high(eight(text, from + Long.BYTES, to), to - from);
    }

    /// Up to eight bytes, the first one lowest.
    private static long eight(byte[] text, int from, int to) {
        long eight = 0;
        for (int i = Math.min(from + Long.BYTES, to) - 1; i >= from; i--) {
            eight = eight << Byte.SIZE | text[i] & 0xFF;
        }
        return eight;
    }

    /// Appends the ids of a word.
    ///
    /// @return whether the word is known
    boolean get(long low, long high, TokenBuffer out) {
        long hash = hash(low, high);
        int slot = (int) (hash >>> shift);
        for (int found = slots[slot]; found != 0; found = slots[slot]) {
            if ((found ^ tag(hash)) >>> NUMBER_BITS == 0) {
                int entry = ((found & (1 << NUMBER_BITS) - 1) - 1) * ENTRY;
                if (entries[entry] == low && entries[entry + 1] == high) {
                    append(entries[entry + 2], entries[entry + 3], out);
                    return true;
                }
            }
            slot = slot + 1 & slots.length - 1;
        }
        return false;
    }

    private void append(long first, long second, TokenBuffer out) {
        if ((int) first < 0) {
            out.addAll(many, ~(int) first, (int) second);
        } else {
            out.addFour(first, second);
        }
    }

    /// Keeps the ids of a word that is not known.
    void put(long low, long high, int[] ids, int from, int count) {
        if (size == MAX_WORDS || manySize + count > MAX_KEPT_TOKENS) {
            Arrays.fill(slots, 0);
            size = 0;
            manySize = 0;
        }
        if (ENTRY * size == entries.length) {
            entries = Arrays.copyOf(entries, 2 * entries.length);
        }
        int entry = ENTRY * size++;
        entries[entry] = low;
        entries[entry + 1] = high;
        if (count > MAX_PACKED_TOKENS) {
            entries[entry + 2] = ~keep(ids, from, count);
            entries[entry + 3] = count;
        } else {
            entries[entry + 2] = pack(ids, from, count);
            entries[entry + 3] = pack(ids, from + 2, count - 2);
        }
        if (2 * size > slots.length) {
            enlarge();
        } else {
            insert(size);
        }
    }

    /// Two ids, -1 where there is none.
    private static long pack(int[] ids, int from, int count) {
        int first = count > 0 ? ids[from] : -1;
        int second = count > 1 ? ids[from + 1] : -1;
        return (long) second << Integer.SIZE | first & 0xFFFF_FFFFL;
    }

    /// Where the ids are kept from now on.
    private int keep(int[] ids, int from, int count) {
        if (manySize + count > many.length) {
            many = Arrays.copyOf(many, 2 * many.length);
        }
        System.arraycopy(ids, from, many, manySize, count);
        manySize += count;
        return manySize - count;
    }

    private void insert(int number) {
        int entry = ENTRY * (number - 1);
        long hash = hash(entries[entry], entries[entry + 1]);
        int slot = (int) (hash >>> shift);
        while (slots[slot] != 0) {
            slot = slot + 1 & slots.length - 1;
        }
        slots[slot] = tag(hash) | number;
    }

    private void enlarge() {
        slots = new int[2 * slots.length];
        shift--;
        for (int number = 1; number <= size; number++) {
            insert(number);
        }
    }

    private static long hash(long low, long high) {
        long hash = (low ^ Long.rotateLeft(high, 29)) * 0x9E3779B97F4A7C15L;
        return hash ^ hash >>> 29;
    }

    /// Bits of a hash that do not choose the slot, above the number of a word.
    private static int tag(long hash) {
        return (int) hash << NUMBER_BITS;
    }
}
