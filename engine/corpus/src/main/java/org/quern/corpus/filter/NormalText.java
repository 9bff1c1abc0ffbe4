package org.quern.corpus.filter;

import java.text.Normalizer;
import java.util.Arrays;

/// The words of a text as duplicates are compared by: in lower case, without punctuation and diacritics,
/// every number a zero (as FineWeb has it). Only a hash of each is kept. In scripts written without spaces
/// each letter is a word.
///
/// One thread's: the buffer is kept for the next text.
public final class NormalText {
    private static final long MULTIPLIER = 0x9e3779b97f4a7c15L;
    private static final long NGRAM_BASE = 0x9fb21c651e98df25L;
    private static final char REMOVED = 0;
    private static final char LONGER = 0xffff;
    private static final String DECIMAL_SEPARATORS = ".,\u060c\u066b\u2396\u2397\u2398";
    private static final int HANGUL_FIRST = 0xac00;
    private static final int HANGUL_LAST = 0xd7a3;
    private static final int VOWELS = 21;
    private static final int TAILS = 28;

    /// What each character is without case and diacritics: another, [#REMOVED], or [#LONGER] for more than
    /// one.
    private static final char[] FOLDED = new char[Character.MAX_VALUE + 1];

    static {
        for (int c = 0; c <= Character.MAX_VALUE; c++) {
            String folded = Character.isSurrogate((char) c) ? String.valueOf((char) c) : fold(c);
            FOLDED[c] = folded.isEmpty() ? REMOVED : folded.length() > 1 ? LONGER : folded.charAt(0);
        }
    }

    private long[] words = new long[1 << 10];
    private int count;
    private long hash;
    private boolean inWord;

    /// Replaces the words by those of another text.
    public void read(CharSequence text) {
        count = 0;
        inWord = false;
        hash = 0;
        int length = text.length();
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            if (c >= 'a' && c <= 'z') {
                addToWord(c);
            } else if (c >= 'A' && c <= 'Z') {
                addToWord((char) (c + 'a' - 'A'));
            } else if (Character.isDigit(c)) {
                i = numberEnd(text, i) - 1;
                addToWord('0');
            } else if (Characters.isSpace(c) || Characters.isPunctuation(c)) {
                endWord();
            } else if (Character.isHighSurrogate(c) && i + 1 < length && Character.isLowSurrogate(text.charAt(i + 1))) {
                addRare(Character.toCodePoint(c, text.charAt(++i)));
            } else {
                add(c);
            }
        }
        endWord();
    }

    /// The number of words.
    public int count() {
        return count;
    }

    /// The hash of a word.
    public long word(int index) {
        return words[index];
    }

    /// A hash of the whole text; lanes are independent.
    public long hash(long lane) {
        long whole = lane;
        for (int i = 0; i < count; i++) {
            whole = (Long.rotateLeft(whole, 5) ^ words[i]) * MULTIPLIER;
        }
        return mix(whole + count);
    }

    /// A hash of so many words in a row.
    public long ngram(int first, int words) {
        long ngram = 0;
        for (int word = first; word < first + words; word++) {
            ngram = ngram * NGRAM_BASE + this.words[word];
        }
        return mix(ngram);
    }

    /// Every bit of the result depends on every bit of the value (MurmurHash3's end).
    private static long mix(long value) {
        long mixed = value;
        mixed = (mixed ^ mixed >>> 33) * 0xff51afd7ed558ccdL;
        mixed = (mixed ^ mixed >>> 33) * 0xc4ceb9fe1a85ec53L;
        return mixed ^ mixed >>> 33;
    }

    private static int numberEnd(CharSequence text, int start) {
        int end = digitsEnd(text, start);
        boolean decimal = end < text.length() && DECIMAL_SEPARATORS.indexOf(text.charAt(end)) >= 0;
        int fraction = decimal ? digitsEnd(text, end + 1) : end;
        return decimal && fraction > end + 1 ? fraction : end;
    }

    private static int digitsEnd(CharSequence text, int start) {
        int end = start;
        while (end < text.length() && Character.isDigit(text.charAt(end))) {
            end++;
        }
        return end;
    }

    private void add(char c) {
        char folded = FOLDED[c];
        if (folded == LONGER) {
            addLonger(c);
        } else if (folded != REMOVED && Characters.isUnspaced(folded)) {
            endWord();
            addToWord(folded);
            endWord();
        } else if (folded != REMOVED) {
            addToWord(folded);
        }
    }

    private void addLonger(char c) {
        if (c >= HANGUL_FIRST && c <= HANGUL_LAST) {
            int syllable = c - HANGUL_FIRST;
            addToWord((char) (0x1100 + syllable / (VOWELS * TAILS)));
            addToWord((char) (0x1161 + syllable / TAILS % VOWELS));
            if (syllable % TAILS > 0) {
                addToWord((char) (0x11a7 + syllable % TAILS));
            }
        } else {
            fold(c).chars().forEach(part -> addToWord((char) part));
        }
    }

    private void addRare(int codePoint) {
        if (Character.isDigit(codePoint)) {
            addToWord('0');
        } else if (Characters.isPunctuation(codePoint)) {
            endWord();
        } else {
            boolean unspaced = Characters.isUnspaced(codePoint);
            if (unspaced) {
                endWord();
            }
            fold(codePoint).chars().forEach(part -> addToWord((char) part));
            if (unspaced) {
                endWord();
            }
        }
    }

    private static String fold(int codePoint) {
        String decomposed =
                Normalizer.normalize(Character.toString(Character.toLowerCase(codePoint)), Normalizer.Form.NFD);
        StringBuilder folded = new StringBuilder();
        decomposed
                .codePoints()
                .filter(part -> Character.getType(part) != Character.NON_SPACING_MARK)
                .forEach(folded::appendCodePoint);
        return folded.toString();
    }

    private void addToWord(char c) {
        hash = (Long.rotateLeft(hash, 5) ^ c) * MULTIPLIER;
        inWord = true;
    }

    private void endWord() {
        if (!inWord) {
            return;
        }
        if (count == words.length) {
            words = Arrays.copyOf(words, 2 * count);
        }
        words[count++] = mix(hash);
        hash = 0;
        inWord = false;
    }
}
