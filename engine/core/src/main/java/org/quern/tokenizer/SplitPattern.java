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

/// How text is cut into words before byte pairs are merged; no token crosses a cut. Each constant follows a published
/// regular expression exactly, on UTF-8 bytes and in one pass.
public enum SplitPattern {
    /// GPT-2: English contractions, runs of letters, digits or other signs with one space before them.
    GPT2("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"),
    /// GPT-4 as tiktoken has it today: differs from [#LLAMA3] only in white space at the very end of a text.
    CL100K("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
            + "|\\s+\\z|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),
    /// Llama 3, and GPT-4 as first published: at most three digits together, line ends apart from words.
    LLAMA3("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
            + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");

    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long EACH_BYTE = 0x0101_0101_0101_0101L;
    private static final long HIGH_BITS = 0x8080_8080_8080_8080L;
    private static final int MAX_DIGITS = 3;

    private final String regex;

    SplitPattern(String regex) {
        this.regex = regex;
    }

    /// The pattern as Hugging Face tokenizers reads it.
    public String regex() {
        return regex;
    }

    /// Where the word ends that starts at `from`.
    ///
    /// @param to the end of the text, beyond `from`
    public int next(byte[] text, int from, int to) {
        return this == GPT2 ? nextGpt2(text, from, to) : nextGpt4(text, from, to);
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
            long eight = (long) LONG.get(text, i);
            long folded = (eight | 0x20 * EACH_BYTE) & ~HIGH_BITS;
            long fromA = folded + (0x80 - 'a') * EACH_BYTE;
            long beyondZ = folded + (0x80 - 'z' - 1) * EACH_BYTE;
            long others = ~(fromA & ~beyondZ & ~eight) & HIGH_BITS;
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
