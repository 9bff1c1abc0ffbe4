package org.quern.tokenizer;

/// Classes of characters in UTF-8 text, as the split patterns tell them apart. Letters are `\p{L}`, numbers `\p{N}`,
/// spaces the Unicode property White_Space. A byte that does not belong to a well-formed sequence is a character of
/// its own, of class OTHER.
///
/// The expression of o200k looks at case as well: [#startsCased] are `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`,
/// [#endsCased] are `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`.
///
/// The tables are those of the JDK (Unicode 16 in Java 25), which agree on every code point with the regular
/// expressions of Hugging Face tokenizers 0.23 and tiktoken 0.14.
final class Characters {
    static final int LETTER = 0;
    static final int NUMBER = 1;
    static final int OTHER = 2;
    /// White space except CR and LF.
    static final int SPACE = 3;
    /// CR or LF.
    static final int NEWLINE = 4;

    /// A character is its class, two bits for its case, and its number of bytes.
    private static final int CLASS_BITS = 3;

    private static final int STARTS_CASED = 1 << CLASS_BITS;
    private static final int ENDS_CASED = 2 << CLASS_BITS;
    private static final int LENGTH_SHIFT = CLASS_BITS + 2;

    private static final byte[] BASIC = new byte[0x10000];

    static {
        for (int c = 0; c < BASIC.length; c++) {
            BASIC[c] = (byte) (computeClass(c) | computeCase(c));
        }
    }

    private Characters() {}

    static int classOf(int codePoint) {
        return classIn(codePoint < BASIC.length ? BASIC[codePoint] : computeClass(codePoint));
    }

    private static int computeClass(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.UPPERCASE_LETTER,
                    Character.LOWERCASE_LETTER,
                    Character.TITLECASE_LETTER,
                    Character.MODIFIER_LETTER,
                    Character.OTHER_LETTER -> LETTER;
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> NUMBER;
            case Character.SPACE_SEPARATOR, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> SPACE;
            default ->
                switch (codePoint) {
                    case '\r', '\n' -> NEWLINE;
                    case '\t', 0x0B, '\f', 0x85 -> SPACE;
                    default -> OTHER;
                };
        };
    }

    private static int computeCase(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.UPPERCASE_LETTER, Character.TITLECASE_LETTER -> STARTS_CASED;
            case Character.LOWERCASE_LETTER -> ENDS_CASED;
            case Character.MODIFIER_LETTER,
                    Character.OTHER_LETTER,
                    Character.NON_SPACING_MARK,
                    Character.COMBINING_SPACING_MARK,
                    Character.ENCLOSING_MARK -> STARTS_CASED | ENDS_CASED;
            default -> 0;
        };
    }

    /// The character at `i`: read it with [#classIn], [#startsCased], [#endsCased] and [#lengthIn].
    static int at(byte[] text, int i, int to) {
        int first = text[i];
        return first >= 0 ? 1 << LENGTH_SHIFT | BASIC[first] : beyondAscii(text, i, to);
    }

    static int classIn(int character) {
        return character & (1 << CLASS_BITS) - 1;
    }

    static boolean startsCased(int character) {
        return (character & STARTS_CASED) != 0;
    }

    static boolean endsCased(int character) {
        return (character & ENDS_CASED) != 0;
    }

    static int lengthIn(int character) {
        return character >>> LENGTH_SHIFT;
    }

    private static int beyondAscii(byte[] text, int i, int to) {
        int first = text[i] & 0xFF;
        if (first >= 0xC2 && first < 0xE0) {
            if (i + 1 < to && isContinuation(text[i + 1])) {
                return 2 << LENGTH_SHIFT | BASIC[(first & 0x1F) << 6 | text[i + 1] & 0x3F];
            }
        } else if (first >= 0xE0 && first < 0xF0) {
            if (i + 2 < to && isContinuation(text[i + 1]) && isContinuation(text[i + 2])) {
                int c = (first & 0x0F) << 12 | (text[i + 1] & 0x3F) << 6 | text[i + 2] & 0x3F;
                if (c >= 0x800 && (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE)) {
                    return 3 << LENGTH_SHIFT | BASIC[c];
                }
            }
        } else if (first >= 0xF0 && first < 0xF5) {
            if (i + 3 < to
                    && isContinuation(text[i + 1])
                    && isContinuation(text[i + 2])
                    && isContinuation(text[i + 3])) {
                int c = (first & 0x07) << 18
                        | (text[i + 1] & 0x3F) << 12
                        | (text[i + 2] & 0x3F) << 6
                        | text[i + 3] & 0x3F;
                if (c >= 0x10000 && c <= Character.MAX_CODE_POINT) {
                    return 4 << LENGTH_SHIFT | computeClass(c) | computeCase(c);
                }
            }
        }
        return 1 << LENGTH_SHIFT | OTHER;
    }

    private static boolean isContinuation(byte b) {
        return (b & 0xC0) == 0x80;
    }
}
