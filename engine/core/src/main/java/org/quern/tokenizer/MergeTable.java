package org.quern.tokenizer;

/// The merges of a vocabulary, to be looked up: what two adjacent tokens become, and how urgent that is. Most
/// pairs that are asked for do not merge; a filter of few bits, small enough for a near cache, answers for
/// nearly all of them.
final class MergeTable {
    /// The answer for a pair that does not merge; it is less urgent than any that does.
    static final long NONE = Long.MAX_VALUE;

    private static final int BITS_PER_MERGE = 8;

    /// By two bytes, the first in the higher half.
    private final long[] ofBytes = new long[1 << 16];

    private final PairTable table;
    private final long[] filter;
    private final int filterShift;

    /// @param byteIds the ids of the 256 single bytes
    MergeTable(Merges merges, int[] byteIds) {
        table = merges.table();
        int bits = Integer.highestOneBit(Math.max(Long.SIZE, BITS_PER_MERGE * merges.size()));
        filter = new long[bits / Long.SIZE];
        filterShift = Long.numberOfLeadingZeros(bits) + 1;
        for (long pair : merges.pairs()) {
            int bit = bit(pair);
            filter[bit >>> 6] |= 1L << bit;
        }
        for (int i = 0; i < ofBytes.length; i++) {
            ofBytes[i] = get(byteIds[i >>> 8], byteIds[i & 0xFF]);
        }
    }

    private int bit(long pair) {
        return (int) (pair * 0x9E3779B97F4A7C15L >>> filterShift);
    }

    /// The merge of two single bytes, as [#get] gives it.
    long ofBytes(byte left, byte right) {
        return ofBytes[(left & 0xFF) << 8 | right & 0xFF];
    }

    /// `rank << 32 | result`, or [#NONE].
    long get(int left, int right) {
        long pair = PairTable.pair(left, right);
        int bit = bit(pair);
        return (filter[bit >>> 6] & 1L << bit) == 0 ? NONE : table.get(pair, NONE);
    }
}
