package org.quern.corpus.filter;

import java.util.Arrays;

/// The words of a text, as spaces and the marks at the edges of words divide it: `"Well-known," she said.`
/// is `"`, `Well`, `-`, `known`, `,`, `"`, `she`, `said`, `.`
///
/// FineWeb counts the tokens of spaCy's rules for the page's language. These are the rules that matter
/// there (marks at the edges, hyphens and slashes inside, English contractions, units after numbers, web
/// addresses whole) without its lists of abbreviations and emoticons, and for every language alike. In
/// scripts written without spaces each letter is a word, instead of what a dictionary says.
///
/// Buffers are kept for the next text: one thread's.
final class Words {
    private static final int MOST_SUFFIXES = 64;
    private static final int LONGEST_UNIT = 4;
    private static final ThreadLocal<Words> LAST = ThreadLocal.withInitial(Words::new);

    private String text = "";
    private char[] chars = new char[1 << 12];
    private int length;
    private int codePoints;
    private final Spans spans = new Spans();
    private final int[] suffixStarts = new int[MOST_SUFFIXES];

    /// The words of a text, in force until the thread's next call for another one.
    static Words of(String text) {
        Words words = LAST.get();
        if (!words.text.equals(text)) {
            words.read(text);
        }
        return words;
    }

    private void read(String next) {
        text = next;
        length = next.length();
        if (chars.length < length) {
            chars = new char[length + length / 2];
        }
        next.getChars(0, length, chars, 0);
        spans.clear();
        codePoints = length;
        int start = 0;
        for (int i = 0; i <= length; i++) {
            if (i == length || Characters.isSpace(chars[i])) {
                if (i > start) {
                    splitChunk(start, i);
                }
                start = i + 1;
            } else if (Character.isLowSurrogate(chars[i]) && i > 0 && Character.isHighSurrogate(chars[i - 1])) {
                codePoints--;
            }
        }
    }

    /// Where the words are in [#chars()].
    Spans spans() {
        return spans;
    }

    char[] chars() {
        return chars;
    }

    /// The text's length in code points.
    int length() {
        return codePoints;
    }

    /// The length of a part of the text in code points.
    int length(int start, int end) {
        return codePoints == length ? end - start : Character.codePointCount(chars, start, end - start);
    }

    /// A word's length in code points.
    int length(int word) {
        return length(spans.start(word), spans.end(word));
    }

    boolean is(int word, char[] value) {
        return Arrays.equals(chars, spans.start(word), spans.end(word), value, 0, value.length);
    }

    /// Whether one of a word's code points is of these classes.
    boolean hasAny(int word, int classes) {
        for (int i = spans.start(word); i < spans.end(word); i++) {
            if (Characters.is(codePoint(i), classes)) {
                return true;
            }
        }
        return false;
    }

    /// Whether one of a word's code points is of none of these classes.
    boolean hasOther(int word, int classes) {
        for (int i = spans.start(word); i < spans.end(word); i += Character.charCount(codePoint(i))) {
            if (!Characters.is(codePoint(i), classes)) {
                return true;
            }
        }
        return false;
    }

    /// The number of sentences: each ends with the marks after a sentence's end, and the last wherever the
    /// text does.
    int sentences() {
        int sentences = spans.count() == 0 ? 0 : 1;
        boolean ended = false;
        for (int word = 0; word < spans.count(); word++) {
            if (length(word) == 1 && Characters.is(codePoint(spans.start(word)), Characters.SENTENCE_END)) {
                ended = true;
            } else if (ended && hasLetterOrSymbol(word)) {
                sentences++;
                ended = false;
            }
        }
        return sentences;
    }

    private boolean hasLetterOrSymbol(int word) {
        for (int i = spans.start(word); i < spans.end(word); i += Character.charCount(codePoint(i))) {
            switch (Character.getType(codePoint(i))) {
                case Character.CONNECTOR_PUNCTUATION,
                        Character.DASH_PUNCTUATION,
                        Character.START_PUNCTUATION,
                        Character.END_PUNCTUATION,
                        Character.INITIAL_QUOTE_PUNCTUATION,
                        Character.FINAL_QUOTE_PUNCTUATION,
                        Character.OTHER_PUNCTUATION -> {}
                default -> {
                    return true;
                }
            }
        }
        return false;
    }

    private int codePoint(int i) {
        return Character.codePointAt(chars, i, length);
    }

    /// Takes marks off both edges of what stands between two spaces, then divides the rest.
    private void splitChunk(int from, int to) {
        int start = from;
        int end = to;
        int suffixes = 0;
        while (start < end && !Contractions.isKnown(chars, start, end)) {
            int prefix = prefix(start, end);
            if (prefix > 0) {
                spans.add(start, start + prefix);
                start += prefix;
                continue;
            }
            int suffix = suffixes == MOST_SUFFIXES ? 0 : suffix(start, end);
            if (suffix == 0) {
                break;
            }
            end -= suffix;
            suffixStarts[suffixes++] = end;
        }
        if (start < end && Contractions.isAbbreviation(chars, start, end)) {
            spans.add(start, end);
        } else if (start < end) {
            splitInside(start, end);
        }
        for (int last = suffixes - 1; last >= 0; last--) {
            spans.add(suffixStarts[last], last == 0 ? to : suffixStarts[last - 1]);
        }
    }

    private int prefix(int start, int end) {
        if (chars[start] == '.') {
            int dots = 1;
            while (start + dots < end && chars[start + dots] == '.') {
                dots++;
            }
            return dots > 1 || start + 1 == end ? dots : 0;
        }
        if (chars[start] == '+') {
            return start + 1 < end && isDigit(start + 1) ? 0 : 1;
        }
        int codePoint = codePoint(start);
        return Characters.is(codePoint, Characters.DETACHED) ? Character.charCount(codePoint) : 0;
    }

    private int suffix(int start, int end) {
        char last = chars[end - 1];
        if (last == '.') {
            int dots = 1;
            while (end - dots > start && chars[end - dots - 1] == '.') {
                dots++;
            }
            return dots > 1 || endsSentence(start, end - 1) ? dots : 0;
        }
        if ((last == 's' || last == 'S') && end - start > 2 && (chars[end - 2] == '\'' || chars[end - 2] == '\u2019')) {
            return 2;
        }
        if (last == '+') {
            return end - start > 1 && isDigit(end - 2) ? 1 : 0;
        }
        int codePoint = Character.codePointBefore(chars, end, start);
        if (Characters.is(codePoint, Characters.DETACHED)) {
            // Signs before a word, but not after one.
            boolean prefixOnly = codePoint == '=' || codePoint == '$' || codePoint == '\u00a7' || codePoint == '%';
            return !prefixOnly || end - start > 1 && isDigit(end - 2) ? Character.charCount(codePoint) : 0;
        }
        int unit = end;
        while (unit > start && end - unit <= LONGEST_UNIT && !isDigit(unit - 1)) {
            unit--;
        }
        return unit > start && unit < end && Contractions.isUnit(chars, unit, end) ? end - unit : 0;
    }

    /// Whether a dot after this character ends a sentence and not an initial: `U.S.` and `J.` keep theirs.
    private boolean endsSentence(int start, int dot) {
        if (dot == start) {
            return false;
        }
        char before = chars[dot - 1];
        if (Character.isUpperCase(before)) {
            return dot - 2 >= start && Character.isUpperCase(chars[dot - 2]);
        }
        return dot - 1 > start && before != '.' || !Character.isLetter(before) && before != '.';
    }

    private boolean isDigit(int i) {
        return chars[i] >= '0' && chars[i] <= '9';
    }

    /// A letter, or the vowel sign of an Indic or Semitic script.
    private boolean isLetter(int i) {
        int type = Character.getType(chars[i]);
        boolean sign = type == Character.NON_SPACING_MARK || type == Character.COMBINING_SPACING_MARK;
        return Characters.is(chars[i], Characters.LETTER) || sign && chars[i] >= 0x590;
    }

    private void splitInside(int from, int to) {
        int head = Contractions.head(chars, from, to);
        if (head > 0) {
            spans.add(from, from + head);
            spans.add(from + head, to);
            return;
        }
        if (WebAddresses.matches(chars, from, to)) {
            spans.add(from, to);
            return;
        }
        int start = from;
        for (int i = from; i < to; i++) {
            int separator = separator(i, from, to);
            if (separator > 0) {
                if (i > start) {
                    spans.add(start, i);
                }
                spans.add(i, i + separator);
                start = i + separator;
                i = start - 1;
            } else if (i > start && breaksBefore(i)) {
                spans.add(start, i);
                start = i;
            }
        }
        if (start < to) {
            spans.add(start, to);
        }
    }

    /// The length of a mark that divides a word from inside, or 0.
    private int separator(int i, int from, int to) {
        char c = chars[i];
        if (c == '\u2026') {
            return 1;
        }
        if (c < 0x80 && Character.isLetterOrDigit(c) || i == from || i + 1 == to) {
            return 0;
        }
        boolean afterDigit = isDigit(i - 1);
        boolean afterWord = afterDigit || isLetter(i - 1);
        boolean beforeLetter = isLetter(i + 1);
        switch (c) {
            case '.' -> {
                int dots = 1;
                while (i + dots < to && chars[i + dots] == '.') {
                    dots++;
                }
                boolean sentences = (Character.isLowerCase(chars[i - 1]) || isQuote(chars[i - 1]))
                        && (Character.isUpperCase(chars[i + 1]) || isQuote(chars[i + 1]));
                return dots > 1 || sentences ? dots : 0;
            }
            case ',' -> {
                return isLetter(i - 1) && beforeLetter ? 1 : 0;
            }
            case '-', '\u2013', '\u2014', '~' -> {
                int dashes = 1;
                while (i + dashes < to - 1 && dashes < 3 && chars[i + dashes] == c) {
                    dashes++;
                }
                boolean range = c == '-' && afterDigit && (isDigit(i + 1) || chars[i + 1] == '-');
                return afterWord && isLetter(i + dashes) ? dashes : range ? 1 : 0;
            }
            case '+', '*', '^' -> {
                return afterDigit && (isDigit(i + 1) || chars[i + 1] == '-') ? 1 : 0;
            }
            case ':', '<', '>', '=', '/' -> {
                return afterWord && beforeLetter ? 1 : 0;
            }
            default -> {
                int codePoint = codePoint(i);
                boolean picture = codePoint > 0x7f && Character.getType(codePoint) == Character.OTHER_SYMBOL;
                return picture ? Character.charCount(codePoint) : 0;
            }
        }
    }

    private static boolean isQuote(char c) {
        return c == '"' || c == '\'' || c == '`' || c >= '\u2018' && c <= '\u201f' || c == '\u00ab' || c == '\u00bb';
    }

    private boolean breaksBefore(int i) {
        return chars[i] >= 0xe00
                && !Character.isLowSurrogate(chars[i])
                && (Characters.isUnspaced(codePoint(i)) || Characters.isUnspaced(Character.codePointBefore(chars, i)));
    }
}
