package org.quern.tokenizer;

/// Finds places within a word that no merge crosses, so that the pieces between them can be merged alone: between
/// two bytes that no token has side by side. Between the characters of most scripts they are frequent, and the
/// pieces are few and short where the words are many and long.
///
/// A token across a place has two bytes there and no more, or holds them and one beside them. So the two bytes and
/// the three of both ways are looked up in what the tokens hold: the twos exactly, the threes in a filter of few
/// bits, which may only hide a place.
final class Seams {
    private static final int BITS_PER_SYMBOL = 8;

    private final long[] twos = new long[(1 << 16) / Long.SIZE];
    private final long[] threes;
    private final int shift;

    Seams(MergeTable merges, Vocabulary vocabulary) {
        int bits = Long.SIZE - Long.numberOfLeadingZeros((long) BITS_PER_SYMBOL * merges.symbols());
        threes = new long[1 << bits - 6];
        shift = Integer.SIZE - bits;
        for (int symbol = MergeTable.FIRST; symbol < merges.symbols(); symbol++) {
            byte[] token = vocabulary.token(merges.id(symbol));
            if (token.length == 2) {
                int two = (token[0] & 0xFF) << 8 | token[1] & 0xFF;
                twos[two >>> 6] |= 1L << two;
            }
            for (int i = 0; i + 2 < token.length; i++) {
                int bit = bit(token[i] & 0xFF, token[i + 1] & 0xFF, token[i + 2] & 0xFF);
                threes[bit >>> 6] |= 1L << bit;
            }
        }
    }

    private int bit(int first, int second, int third) {
        return (first << 16 | second << 8 | third) * 0x9E3779B1 >>> shift;
    }

    /// The end of the piece that starts at `from`.
    ///
    /// @param to the end of the word
    int next(byte[] text, int from, int to) {
        boolean threeBefore = false;
        int first = text[from] & 0xFF;
        for (int i = from + 1; i < to; i++) {
            int second = text[i] & 0xFF;
            boolean threeBehind = false;
            if (i + 1 < to) {
                int bit = bit(first, second, text[i + 1] & 0xFF);
                threeBehind = (threes[bit >>> 6] & 1L << bit) != 0;
            }
            if (!threeBefore && !threeBehind) {
                int two = first << 8 | second;
                if ((twos[two >>> 6] & 1L << two) == 0) {
                    return i;
                }
            }
            threeBefore = threeBehind;
            first = second;
        }
        return to;
    }
}
