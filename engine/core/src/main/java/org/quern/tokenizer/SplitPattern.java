package org.quern.tokenizer;

import static org.quern.tokenizer.Characters.LETTER;
import static org.quern.tokenizer.Characters.NEWLINE;
import static org.quern.tokenizer.Characters.NUMBER;
import static org.quern.tokenizer.Characters.OTHER;
import static org.quern.tokenizer.Characters.SPACE;
import static org.quern.tokenizer.Characters.classIn;
import static org.quern.tokenizer.Characters.lengthIn;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/// How text is cut into words before byte pairs are merged; no token crosses a cut. Each constant follows a
/// published regular expression exactly, on UTF-8 bytes and in one pass.
public enum SplitPattern {
    /// GPT-2: English contractions, runs of letters, digits or other signs with one space before them.
    GPT2(false, "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"),
    /// GPT-4 as tiktoken has it today: differs from [#LLAMA3] only in white space at the very end of a text.
    CL100K(
            true,
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                    + "|\\s+\\z|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),
    /// Llama 3, and GPT-4 as first published: at most three digits together, line ends apart from words.
    LLAMA3(
            true,
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                    + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),
    /// GPT-4o: words change where small letters are followed by capitals, contractions belong to their words.
    O200K(
            true,
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                    + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                    + "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");

    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long EACH_BYTE = 0x0101_0101_0101_0101L;
    private static final long HIGH_BITS = 0x8080_8080_8080_8080L;
    private static final int MAX_DIGITS = 3;

    /// What [#shortWord] may begin with.
    private static final byte LETTER_FIRST = 1;

    private static final byte SPACE_FIRST = 2;
    private static final byte SIGN_FIRST = 3;

    private final String regex;

    /// By the first byte of a word, 0 where it takes a closer look.
    private final byte[] firsts = new byte[256];

    /// @param signsBeforeWords any sign, not only a space, can stand before letters in one word
    SplitPattern(boolean signsBeforeWords, String regex) {
        this.regex = regex;
        for (int c = 0; c < 0x80; c++) {
            firsts[c] = switch (Characters.classOf(c)) {
                case LETTER -> LETTER_FIRST;
                case SPACE -> c == ' ' || signsBeforeWords ? SPACE_FIRST : 0;
                case OTHER -> c != '\'' && signsBeforeWords ? SIGN_FIRST : 0;
                default -> 0;
            };
        }
    }

    /// The pattern as Hugging Face tokenizers reads it.
    public String regex() {
        return regex;
    }

    /// Where the word ends that starts at `from`.
    ///
    /// @param to the end of the text, beyond `from`
    public int next(byte[] text, int from, int to) {
        return switch (this) {
            case GPT2 -> nextGpt2(text, from, to);
            case CL100K, LLAMA3 -> nextGpt4(text, from, to);
            case O200K -> nextGpt4o(text, from, to);
        };
    }

    /// The length of the word that 16 bytes of text begin with, if it is one of the frequent kinds: letters of
    /// ASCII, alone or after a sign, that end before the last byte, or a sign before a space; 0 if it may be
    /// another.
    ///
    /// @param low the first eight bytes, the first one lowest
    int shortWord(long low, long high) {
        byte first = firsts[(int) low & 0xFF];
        if (first == 0) {
            return 0;
        }
        // Bytes of which a capital does not end the word.
        int free = 1;
        if (this == O200K && first != LETTER_FIRST && firsts[(int) low >>> 8 & 0xFF] == LETTER_FIRST) {
            free = 2;
        }
        long ends = ends(low) & -1L << free * Byte.SIZE;
        int length = ends != 0
                ? Long.numberOfTrailingZeros(ends) / Byte.SIZE
                : Long.BYTES + Long.numberOfTrailingZeros(ends(high)) / Byte.SIZE;
        if (length == 2 * Long.BYTES) {
            return 0;
        }
        byte end = (byte) ((length < Long.BYTES ? low : high) >>> length * Byte.SIZE);
        if (end < 0) {
            return 0;
        }
        if (length == 1 && first != LETTER_FIRST) {
            return first == SIGN_FIRST && end == ' ' ? length : 0;
        }
        if (this == O200K && (end == '\'' || length == free && firsts[end] == LETTER_FIRST)) {
            return 0;
        }
        return length;
    }

    /// The highest bit of each byte that ends a run of letters of ASCII, or of small ones where case matters.
    private long ends(long eight) {
        return this == O200K ? notSmall(eight) : notLetters(eight);
    }

    private static long notLetters(long eight) {
        return notSmall(eight | 0x20 * EACH_BYTE);
    }

    private static long notSmall(long eight) {
        long low = eight & ~HIGH_BITS;
        long fromA = low + (0x80 - 'a') * EACH_BYTE;
        long beyondZ = low + (0x80 - 'z' - 1) * EACH_BYTE;
        return ~(fromA & ~beyondZ & ~eight) & HIGH_BITS;
    }

    private static int nextGpt2(byte[] text, int from, int to) {
        if (text[from] == '\'') {
            int end = contraction(text, from, to, false);
            if (end > from) {
                return end;
            }
        }
        int first = Characters.at(text, from, to);
        int start = from;
        if (text[from] == ' ' && from + 1 < to) {
            start = from + 1;
            first = Characters.at(text, start, to);
        }
        int kind = classIn(first);
        if (kind == LETTER) {
            return letters(text, start + lengthIn(first), to);
        }
        return kind <= OTHER
                ? run(text, start + lengthIn(first), to, kind)
                : beforeLast(text, from, endOfSpace(text, from, to), to);
    }

    private int nextGpt4(byte[] text, int from, int to) {
        if (text[from] == '\'') {
            int end = contraction(text, from, to, true);
            if (end > from) {
                return end;
            }
        }
        int first = Characters.at(text, from, to);
        int second = from + lengthIn(first);
        switch (classIn(first)) {
            case LETTER:
                return letters(text, second, to);
            case NUMBER:
                return digits(text, second, to);
            case NEWLINE:
                return space(text, from, to);
            default:
                if (second == to) {
                    return to;
                }
        }
        int next = Characters.at(text, second, to);
        if (classIn(next) == LETTER) {
            return letters(text, second + lengthIn(next), to);
        }
        if (classIn(first) == OTHER) {
            return run(text, run(text, second, to, OTHER), to, NEWLINE);
        }
        if (classIn(next) == OTHER && text[from] == ' ') {
            return run(text, run(text, second + lengthIn(next), to, OTHER), to, NEWLINE);
        }
        return space(text, from, to);
    }

    private int nextGpt4o(byte[] text, int from, int to) {
        int first = Characters.at(text, from, to);
        int second = from + lengthIn(first);
        int kind = classIn(first);
        if (kind == NUMBER) {
            return digits(text, second, to);
        }
        int afterPrefix = kind == OTHER || kind == SPACE ? second : from;
        int end = casedWord(text, from, afterPrefix, to, true);
        if (end == from) {
            end = casedWord(text, from, afterPrefix, to, false);
        }
        if (end > from) {
            return end < to && text[end] == '\'' ? contraction(text, end, to, true) : end;
        }
        int signs = kind == OTHER ? second : from;
        if (text[from] == ' ' && second < to) {
            int next = Characters.at(text, second, to);
            signs = classIn(next) == OTHER ? second + lengthIn(next) : from;
        }
        if (signs > from) {
            end = run(text, signs, to, OTHER);
            while (end < to && (text[end] == '\r' || text[end] == '\n' || text[end] == '/')) {
                end++;
            }
            return end;
        }
        return space(text, from, to);
    }

    /// The end of a word of o200k's expression with a prefix if it can be, or `from` if there is none.
    private static int casedWord(byte[] text, int from, int afterPrefix, int to, boolean mixed) {
        int end = casedWord(text, afterPrefix, to, mixed);
        return end > afterPrefix || afterPrefix == from ? end : casedWord(text, from, to, mixed);
    }

    /// The end of a word of o200k's expression without its prefix, or `from` if there is none.
    ///
    /// @param mixed of its first alternative, `U*L+`, where U may start and L may end a word; else of the second,
    ///     `U+L*`
    private static int casedWord(byte[] text, int from, int to, boolean mixed) {
        int i = from;
        int afterLastOfBoth = from;
        while (i < to) {
            int c = Characters.at(text, i, to);
            if (!Characters.startsCased(c)) {
                break;
            }
            i += lengthIn(c);
            if (Characters.endsCased(c)) {
                afterLastOfBoth = i;
            }
        }
        int ends = i;
        while (i < to) {
            int c = Characters.at(text, i, to);
            if (!Characters.endsCased(c)) {
                break;
            }
            i += lengthIn(c);
        }
        // Without an L behind them, the U's give one back that is also an L.
        return mixed && i == ends ? afterLastOfBoth : mixed || ends > from ? i : from;
    }

    private int space(byte[] text, int from, int to) {
        int end = endOfSpace(text, from, to);
        if (this == CL100K && end == to) {
            return to;
        }
        for (int last = end - 1; last >= from; last--) {
            if (text[last] == '\n' || text[last] == '\r') {
                return last + 1;
            }
        }
        return beforeLast(text, from, end, to);
    }

    /// Leaves the last of several spaces to the word after them.
    private static int beforeLast(byte[] text, int from, int end, int to) {
        if (end == to) {
            return end;
        }
        int last = end - 1;
        while ((text[last] & 0xC0) == 0x80) {
            last--;
        }
        return last > from ? last : end;
    }

    private static int endOfSpace(byte[] text, int from, int to) {
        int i = from;
        while (i < to) {
            int c = Characters.at(text, i, to);
            if (classIn(c) < SPACE) {
                break;
            }
            i += lengthIn(c);
        }
        return i;
    }

    /// The end of the letters from `from` on, eight bytes at a time where they are ASCII.
    private static int letters(byte[] text, int from, int to) {
        int i = from;
        while (i + Long.BYTES <= to) {
            long others = notLetters((long) LONG.get(text, i));
            i += Long.numberOfTrailingZeros(others) / Byte.SIZE;
            if (others == 0) {
                continue;
            }
            if (text[i] >= 0) {
                return i;
            }
            int c = Characters.at(text, i, to);
            if (classIn(c) != LETTER) {
                return i;
            }
            i += lengthIn(c);
        }
        return run(text, i, to, LETTER);
    }

    private static int run(byte[] text, int from, int to, int kind) {
        int i = from;
        while (i < to) {
            int c = Characters.at(text, i, to);
            if (classIn(c) != kind) {
                break;
            }
            i += lengthIn(c);
        }
        return i;
    }

    private static int digits(byte[] text, int from, int to) {
        int i = from;
        for (int n = 1; n < MAX_DIGITS && i < to; n++) {
            int c = Characters.at(text, i, to);
            if (classIn(c) != NUMBER) {
                break;
            }
            i += lengthIn(c);
        }
        return i;
    }

    /// The end of 's, 't, 'm, 'd, 're, 've or 'll at `from`, or `from`.
    private static int contraction(byte[] text, int from, int to, boolean anyCase) {
        if (from + 1 >= to) {
            return from;
        }
        int fold = anyCase ? 0x20 : 0;
        int first = text[from + 1] | fold;
        if (first == 's' || first == 't' || first == 'm' || first == 'd') {
            return from + 2;
        }
        if (from + 2 >= to) {
            return from;
        }
        int second = text[from + 2] | fold;
        if ((first == 'r' || first == 'v') && second == 'e' || first == 'l' && second == 'l') {
            return from + 3;
        }
        // U+017F, the long s, folds to s.
        return anyCase && text[from + 1] == (byte) 0xC5 && text[from + 2] == (byte) 0xBF ? from + 3 : from;
    }
}
