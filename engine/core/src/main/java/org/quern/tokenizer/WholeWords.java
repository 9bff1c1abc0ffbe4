package org.quern.tokenizer;

/// The words that are tokens as they are: those that merges would make of them, and where a tokenizer takes a word
/// that is a token as that token before any merge is tried, the others as well. A filter of few bits answers
/// for most words that are none.
final class WholeWords {
    private static final int BITS_PER_TOKEN = 8;

    private final Vocabulary vocabulary;
    /// By id, whether merges make the token.
    private final boolean[] made;

    private final boolean all;
    private final boolean someNotMade;
    private final long[] filter;
    private final int shift;

    WholeWords(Tokenizer tokenizer, MergeTable merges) {
        vocabulary = tokenizer.vocabulary();
        made = new boolean[vocabulary.size()];
        for (int symbol = 0; symbol < merges.symbols(); symbol++) {
            made[merges.id(symbol)] = true;
        }
        int bits = Long.SIZE - Long.numberOfLeadingZeros((long) BITS_PER_TOKEN * made.length);
        filter = new long[1 << bits - 6];
        shift = Long.SIZE - bits;
        int notMade = 0;
        for (int id = 0; id < made.length; id++) {
            byte[] token = vocabulary.token(id);
            if (token == null) {
                continue;
            }
            notMade += made[id] ? 0 : 1;
            if (token.length <= PackedWords.MAX_BYTES) {
                int bit = bit(PackedWords.low(token, 0, token.length), PackedWords.high(token, 0, token.length));
                filter[bit >>> 6] |= 1L << bit;
            }
        }
        all = tokenizer.wholeWords();
        someNotMade = all && notMade > 0;
    }

    private int bit(long low, long high) {
        return (int) ((low ^ Long.rotateLeft(high, 29)) * 0x9E3779B97F4A7C15L >>> shift);
    }

    /// The token that a short word is, or -1.
    ///
    /// @param piece it is not a word but a piece of one
    int find(byte[] text, int from, int to, long low, long high, boolean piece) {
        int bit = bit(low, high);
        if ((filter[bit >>> 6] & 1L << bit) == 0) {
            return -1;
        }
        int id = vocabulary.find(text, from, to);
        return id >= 0 && (made[id] || all && !piece) ? id : -1;
    }

    /// The token that a word is though merges do not make it, or -1.
    int findNotMade(byte[] text, int from, int to) {
        int id = someNotMade ? vocabulary.find(text, from, to) : -1;
        return id >= 0 && !made[id] ? id : -1;
    }
}
