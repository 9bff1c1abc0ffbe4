package org.quern.tokenizer;

import java.util.Arrays;
import org.quern.base.QuernException;

/// The merges of a vocabulary, to be looked up. Tokens are symbols here: the 256 bytes, then `256 + m` for what
/// merge m makes, so that the number of a merge is its urgency (0 first) and its result at once. An entry is a
/// long of both symbols and the number. Most pairs that are asked for do not merge; a filter of few bits, small
/// enough for a near cache, answers for nearly all of them.
final class MergeTable {
    /// The answer for a pair that does not merge; it is less urgent than any that does, and leaves room in an int
    /// for a position in a short word ([WordMerger]).
    static final int NONE = (1 << 25) - 1;

    /// The symbol of merge 0.
    static final int FIRST = 256;

    private static final int SYMBOL_BITS = 21;
    private static final int NUMBER_BITS = Long.SIZE - 2 * SYMBOL_BITS;
    private static final int MAX_MERGES = (1 << SYMBOL_BITS) - 1 - FIRST;
    private static final int BITS_PER_MERGE = 8;
    private static final long EMPTY = -1;

    private final int[] ids;
    /// By two bytes, the first in the higher half.
    private final int[] ofBytes = new int[1 << 16];

    private final long[] slots;
    private final int slotShift;
    private final long[] filter;
    private final int filterShift;

    /// @param byteIds the ids of the 256 single bytes
    MergeTable(Vocabulary vocabulary, Merges merges, int[] byteIds) {
        int[] used = new ReachableMerges(vocabulary, merges, byteIds).find();
        if (used.length > MAX_MERGES) {
            throw QuernException.data(
                    "%s: %d merges are more than %d".formatted(vocabulary.source(), used.length, MAX_MERGES));
        }
        ids = Arrays.copyOf(byteIds, FIRST + used.length);
        int[] symbols = new int[vocabulary.size()];
        for (int b = 0; b < FIRST; b++) {
            symbols[byteIds[b]] = b;
        }
        for (int m = 0; m < used.length; m++) {
            ids[FIRST + m] = merges.results()[used[m]];
            symbols[ids[FIRST + m]] = FIRST + m;
        }
        int bits = 31 - Integer.numberOfLeadingZeros(Math.max(Long.SIZE, used.length));
        slots = new long[4 << bits];
        Arrays.fill(slots, EMPTY);
        slotShift = Long.SIZE - bits - 2;
        filter = new long[BITS_PER_MERGE << bits >> 6];
        filterShift = Long.SIZE - bits - Integer.numberOfTrailingZeros(BITS_PER_MERGE);
        Arrays.fill(ofBytes, NONE);
        for (int m = 0; m < used.length; m++) {
            long pair = merges.pairs()[used[m]];
            add(symbols[PairTable.left(pair)], symbols[PairTable.right(pair)], m);
        }
    }

    private void add(int left, int right, int merge) {
        long pair = pair(left, right);
        long hash = hash(pair);
        int bit = (int) (hash >>> filterShift);
        filter[bit >>> 6] |= 1L << bit;
        int slot = (int) (hash >>> slotShift);
        while (slots[slot] != EMPTY) {
            slot = slot + 1 & slots.length - 1;
        }
        slots[slot] = pair << NUMBER_BITS | merge;
        if (left < FIRST && right < FIRST) {
            ofBytes[left << 8 | right] = merge;
        }
    }

    private static long pair(int left, int right) {
        return (long) left << SYMBOL_BITS | right;
    }

    private static long hash(long pair) {
        return pair * 0x9E3779B97F4A7C15L;
    }

    /// The number of the merge of two single bytes, as [#get] gives it.
    int ofBytes(byte left, byte right) {
        return ofBytes[(left & 0xFF) << 8 | right & 0xFF];
    }

    /// The number of the merge of two symbols, or [#NONE].
    int get(int left, int right) {
        long pair = pair(left, right);
        long hash = hash(pair);
        int bit = (int) (hash >>> filterShift);
        if ((filter[bit >>> 6] & 1L << bit) == 0) {
            return NONE;
        }
        int slot = (int) (hash >>> slotShift);
        long entry = slots[slot];
        while (entry >>> NUMBER_BITS != pair) {
            if (entry == EMPTY) {
                return NONE;
            }
            slot = slot + 1 & slots.length - 1;
            entry = slots[slot];
        }
        return (int) entry & (1 << NUMBER_BITS) - 1;
    }

    /// How many symbols there are.
    int symbols() {
        return ids.length;
    }

    /// The token id of a symbol.
    int id(int symbol) {
        return ids[symbol];
    }
}
