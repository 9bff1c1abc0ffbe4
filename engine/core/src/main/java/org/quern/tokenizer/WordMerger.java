package org.quern.tokenizer;

/// Merges the bytes of a word, the leftmost most urgent pair first, until no pair merges. Words of up to 64 bytes
/// are merged in plain arrays by the first bytes of their tokens, the others by a [LongWord].
final class WordMerger {
    private static final int MAX_LENGTH = Long.SIZE;
    private static final int POSITION_BITS = 6;
    private static final int NONE = MergeTable.NONE << POSITION_BITS;

    private final MergeTable merges;
    private final int[] symbols = new int[MAX_LENGTH];
    /// By the first byte of a token: `merge << 6 | position` for it and the token behind it, so that the least is
    /// the next merge; [#NONE] and more if they do not merge, or where no token begins.
    private final int[] next = new int[MAX_LENGTH];
    private LongWord longWord;

    WordMerger(MergeTable merges) {
        this.merges = merges;
    }

    /// Appends the ids of a word.
    void merge(byte[] text, int from, int to, TokenBuffer out) {
        if (to - from <= MAX_LENGTH) {
            mergeShort(text, from, to, out);
            return;
        }
        if (longWord == null) {
            longWord = new LongWord(merges);
        }
        longWord.merge(text, from, to, out);
    }

    private void mergeShort(byte[] text, int from, int to, TokenBuffer out) {
        int length = to - from;
        for (int i = 0; i < length - 1; i++) {
            symbols[i] = text[from + i] & 0xFF;
            next[i] = merges.ofBytes(text[from + i], text[from + i + 1]) << POSITION_BITS | i;
        }
        symbols[length - 1] = text[to - 1] & 0xFF;
        next[length - 1] = NONE;
        // A bit for each byte that begins a token.
        long begins = -1L >>> Long.SIZE - length;
        for (int least = least(length); least < NONE; least = least(length)) {
            int left = least & MAX_LENGTH - 1;
            symbols[left] = MergeTable.FIRST + (least >>> POSITION_BITS);
            long behind = begins & -2L << left;
            next[Long.numberOfTrailingZeros(behind)] = NONE;
            begins ^= Long.lowestOneBit(behind);
            behind &= behind - 1;
            next[left] = behind == 0 ? NONE : next(left, Long.numberOfTrailingZeros(behind));
            long before = begins & (1L << left) - 1;
            if (before != 0) {
                int first = Long.SIZE - 1 - Long.numberOfLeadingZeros(before);
                next[first] = next(first, left);
            }
        }
        for (long rest = begins; rest != 0; rest &= rest - 1) {
            out.add(merges.id(symbols[Long.numberOfTrailingZeros(rest)]));
        }
    }

    private int next(int left, int right) {
        return merges.get(symbols[left], symbols[right]) << POSITION_BITS | left;
    }

    private int least(int length) {
        int least = NONE;
        for (int i = 0; i < length; i++) {
            least = Math.min(least, next[i]);
        }
        return least;
    }
}
