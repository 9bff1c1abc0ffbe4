package org.quern.corpus.filter;

import java.util.BitSet;

/// The classes of characters that the rules are stated in.
public final class Characters {
    static final int SPACE = 1;
    static final int LINE_BREAK = 2;
    static final int SENTENCE_END = 4;
    static final int PUNCTUATION = 8;
    static final int LETTER = 16;
    /// Of a script written without spaces, where each letter counts as a word.
    static final int UNSPACED = 32;
    /// Stands alone at a word's edge: brackets, quotes, currency, pictures.
    static final int DETACHED = 64;

    /// Unicode's Sentence_Terminal characters, without the Khmer, Meetei and Mongolian marks it left out
    /// before 16.0.
    private static final String SENTENCE_ENDS = """
            21 2e 3f 589 61d-61f 6d4 700-702 7f9 837 839 83d-83e 964-965 104a-104b 1362 1367-1368 166e
            1735-1736 17d4-17d6 17d9-17da 1803 1809 1944-1945 1aa8-1aab 1b5a-1b5b 1b5e-1b5f 1b7d-1b7e
            1c3b-1c3c 1c7e-1c7f 203c-203d 2047-2049 2e2e 2e3c 2e53-2e54 3002 a4ff a60e-a60f a6f3 a6f7
            a876-a877 a8ce-a8cf a92f a9c8-a9c9 aa5d-aa5f aaf0-aaf1 abeb fe52 fe56-fe57 ff01 ff0e ff1f
            ff61 10a56-10a57 10f55-10f59 10f86-10f89 11047-11048 110be-110c1 11141-11143 111c5-111c6
            111cd 111de-111df 11238-11239 1123b-1123c 112a9 1144b-1144c 115c2-115c3 115c9-115d7
            11641-11642 1173c-1173e 11944 11946 11a42-11a43 11a9b-11a9c 11c41-11c42 11ef7-11ef8
            11f43-11f44 16a6e-16a6f 16af5 16b37-16b38 16b44 16e98 1bc9f 1da88
            """;
    /// What Common Crawl's cleaning (CCNet) takes for punctuation, beside sentence ends and control
    /// characters.
    private static final String PUNCTUATION_MARKS =
            "\"#$%&'()*+,-/:;<=>@[\\]^_`{|}~\u00ab\u00b4\u00bb\u2013\u2014\u2019\u201c\u201d"
                    + "\u201e\u2026\u2236\u2501\u25ba\u3001\u3008\u3009\u300a\u300b\u300c\u300d\u3010\u3011\uff05\uff08\uff09\uff0c\uff11"
                    + "\uff1a\uff1b\uff5e";
    private static final String DETACHED_MARKS =
            ",:;!?()[]{}<>_#*&\"'`$%=\u00a1\u00a7\u00ab\u00b0\u00b4\u00b7\u00bb\u00bf\u060c\u061b"
                    + "\u061f\u066a\u06d4\u0964\u2013\u2014\u2018\u2019\u201a\u201c\u201d\u201e\u2026\u3001\u3002\u3008\u3009\u300a\u300b"
                    + "\u300c\u300d\u300e\u300f\u3010\u3011\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uff5e";
    private static final byte[] CLASSES = new byte[Character.MIN_SUPPLEMENTARY_CODE_POINT];
    private static final BitSet RARE_SENTENCE_ENDS = new BitSet();

    static {
        for (int c = 0; c < CLASSES.length; c++) {
            CLASSES[c] = (byte) classify(c);
        }
        for (String range : SENTENCE_ENDS.strip().split("\\s+")) {
            int dash = range.indexOf('-');
            int last = Integer.parseInt(range.substring(dash + 1), 16);
            int first = dash < 0 ? last : Integer.parseInt(range.substring(0, dash), 16);
            for (int c = first; c <= last; c++) {
                if (c < CLASSES.length) {
                    CLASSES[c] |= SENTENCE_END | PUNCTUATION;
                } else {
                    RARE_SENTENCE_ENDS.set(c);
                }
            }
        }
    }

    private Characters() {}

    private static int classify(int c) {
        int classes = 0;
        boolean separator = Character.getType(c) == Character.SPACE_SEPARATOR;
        if (separator || c >= 0x9 && c <= 0xd || c >= 0x1c && c <= 0x1f || c == 0x85 || c == 0x2028 || c == 0x2029) {
            classes |= SPACE;
        }
        if (c >= 0xa && c <= 0xd || c >= 0x1c && c <= 0x1e || c == 0x85 || c == 0x2028 || c == 0x2029) {
            classes |= LINE_BREAK;
        }
        boolean control = c < 0x20 && c != '\t' && c != '\n' || c >= 0x7f && c < 0xa0;
        // The list of control characters leaves out 9 and 10 only, and begins a range at 11.
        if (control || PUNCTUATION_MARKS.indexOf(c) >= 0) {
            classes |= PUNCTUATION;
        }
        if (Character.isLetter(c)) {
            classes |= LETTER;
        }
        if (c >= 0xe00 && Character.isLetter(c) && isUnspaced(Character.UnicodeScript.of(c))) {
            classes |= UNSPACED;
        }
        int type = Character.getType(c);
        if (DETACHED_MARKS.indexOf(c) >= 0
                || type == Character.CURRENCY_SYMBOL
                || c > 0x7f && type == Character.OTHER_SYMBOL) {
            classes |= DETACHED;
        }
        return classes;
    }

    private static boolean isUnspaced(Character.UnicodeScript script) {
        return switch (script) {
            case HAN, HIRAGANA, KATAKANA, THAI, LAO, KHMER, MYANMAR, TIBETAN -> true;
            default -> false;
        };
    }

    /// The classes of a code point, as bits.
    static int of(int codePoint) {
        if (codePoint < CLASSES.length) {
            return CLASSES[codePoint];
        }
        int classes = Character.isLetter(codePoint) ? LETTER : 0;
        if (RARE_SENTENCE_ENDS.get(codePoint)) {
            classes |= SENTENCE_END | PUNCTUATION;
        }
        if (Character.getType(codePoint) == Character.OTHER_SYMBOL) {
            classes |= DETACHED;
        }
        return Character.isIdeographic(codePoint) ? classes | UNSPACED : classes;
    }

    static boolean is(int codePoint, int classes) {
        return (of(codePoint) & classes) != 0;
    }

    /// White space, as Unicode has it and the four separators of ASCII.
    public static boolean isSpace(int codePoint) {
        return is(codePoint, SPACE);
    }

    /// Marks and control characters that count as no word.
    public static boolean isPunctuation(int codePoint) {
        return is(codePoint, PUNCTUATION);
    }

    /// A letter of a script written without spaces.
    public static boolean isUnspaced(int codePoint) {
        return is(codePoint, UNSPACED);
    }
}
