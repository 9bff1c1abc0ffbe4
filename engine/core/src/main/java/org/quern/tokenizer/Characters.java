package org.quern.tokenizer;

/// Classes of characters in UTF-8 text, as the split patterns tell them apart. Letters are `\p{L}`, numbers `\p{N}`,
/// spaces the Unicode property White_Space. A byte that does not belong to a well-formed sequence is a character of
/// its own, of class OTHER.
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

    /// A character is its class plus `LENGTH` times its number of bytes.
    private static final int CLASS_BITS = 3;

    private static final byte[] BASIC = new byte[0x10000];

    static {
        for (int c = 0; c < BASIC.length; c++) {
            BASIC[c] = (byte) computeClass(c);
        }
    }

    private Characters() {}

    static int classOf(int codePoint) {
        return codePoint < BASIC.length ? BASIC[codePoint] : computeClass(codePoint);
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

    /// The character at `i`: read it with [#classIn] and [#lengthIn].
    static int at(byte[] text, int i, int to) {
        int first = text[i];
        return first >= 0 ? 1 << CLASS_BITS | BASIC[first] : beyondAscii(text, i, to);
    }

    static int classIn(int character) {
        return character & (1 << CLASS_BITS) - 1;
    }

    static int lengthIn(int character) {
        return character >>> CLASS_BITS;
    }

    private static int beyondAscii(byte[] text, int i, int to) {
        int first = text[i] & 0xFF;
        if (first >= 0xC2 && first < 0xE0) {
            if (i + 1 < to && isContinuation(text[i + 1])) {
                return 2 << CLASS_BITS | BASIC[(first & 0x1F) << 6 | text[i + 1] & 0x3F];
            }
        } else if (first >= 0xE0 && first < 0xF0) {
            if (i + 2 < to && isContinuation(text[i + 1]) && isContinuation(text[i + 2])) {
                int c = (first & 0x0F) << 12 | (text[i + 1] & 0x3F) << 6 | text[i + 2] & 0x3F;
                if (c >= 0x800 && (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE)) {
                    return 3 << CLASS_BITS | BASIC[c];
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
                    return 4 << CLASS_BITS | computeClass(c);
                }
            }
        }
        return 1 << CLASS_BITS | OTHER;
    }

    private static boolean isContinuation(byte b) {
        return (b & 0xC0) == 0x80;
    }
}
