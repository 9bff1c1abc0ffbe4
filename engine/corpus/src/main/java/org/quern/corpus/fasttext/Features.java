package org.quern.corpus.fasttext;

import java.util.Arrays;
import java.util.List;

/// The rows of the input matrix that a text is made of: its words, their character n-grams, its word
/// n-grams. One thread's: buffers grow to the longest text and are used again.
final class Features {
    private static final int WORD_NGRAM_FACTOR = 116049371;

    private final Dictionary dictionary;
    private final NgramRows ngrams;
    private final FastTextModel.Settings settings;
    private final long bucketReciprocal;
    private byte[] text = new byte[1 << 12];
    private byte[] bracketed = new byte[1 << 8];
    private int[] wordHashes = new int[1 << 8];
    private int tokens;
    private int[] rows = new int[1 << 10];
    private int count;

    Features(Dictionary dictionary, FastTextModel.Settings settings) {
        this.dictionary = dictionary;
        this.settings = settings;
        ngrams = dictionary.ngrams();
        bucketReciprocal = settings.buckets() == 0 ? 0 : Long.divideUnsigned(-1, settings.buckets()) + 1;
    }

    /// Reads a text as one line: line breaks are spaces.
    void read(CharSequence line) {
        encode(line);
        tokens = 0;
        count = 0;
        addLine();
    }

    /// The words that a text is divided into.
    static List<String> words(CharSequence line) {
        return Arrays.stream(line.toString().split("[ \\n\\r\\t\\x0b\\f\\x00]+"))
                .filter(word -> !word.isEmpty())
                .toList();
    }

    int count() {
        return count;
    }

    int row(int index) {
        return rows[index];
    }

    /// UTF-8 with a question mark for half a surrogate pair and a line break at the end; the length is in
    /// `end`.
    private void encode(CharSequence line) {
        int length = line.length();
        if (text.length < 3L * length + 1) {
            text = new byte[Math.toIntExact(3L * length + 1 + length / 2)];
        }
        byte[] out = text;
        int at = 0;
        for (int i = 0; i < length; i++) {
            char c = line.charAt(i);
            if (c < 0x80) {
                out[at++] = (byte) (c == '\n' ? ' ' : c);
            } else if (c < 0x800) {
                out[at++] = (byte) (0xc0 | c >> 6);
                out[at++] = (byte) (0x80 | c & 0x3f);
            } else if (!Character.isSurrogate(c)) {
                out[at++] = (byte) (0xe0 | c >> 12);
                out[at++] = (byte) (0x80 | c >> 6 & 0x3f);
                out[at++] = (byte) (0x80 | c & 0x3f);
            } else if (Character.isHighSurrogate(c) && i + 1 < length && Character.isLowSurrogate(line.charAt(i + 1))) {
                int point = Character.toCodePoint(c, line.charAt(++i));
                out[at++] = (byte) (0xf0 | point >> 18);
                out[at++] = (byte) (0x80 | point >> 12 & 0x3f);
                out[at++] = (byte) (0x80 | point >> 6 & 0x3f);
                out[at++] = (byte) (0x80 | point & 0x3f);
            } else {
                out[at++] = '?';
            }
        }
        out[at] = '\n';
    }

    /// Ends at the line break or, as fastText does, at a word that is the name of the end.
    private void addLine() {
        byte[] end = Dictionary.END_OF_SENTENCE;
        int at = 0;
        while (text[at] != '\n') {
            int start = at;
            while (text[at] != '\n' && !isBlank(text[at])) {
                at++;
            }
            if (Arrays.equals(text, start, at, end, 0, end.length)) {
                break;
            }
            if (at > start) {
                addWord(text, start, at);
            }
            while (isBlank(text[at])) {
                at++;
            }
        }
        addWord(end, 0, end.length);
        addWordNgrams();
    }

    private static boolean isBlank(byte b) {
        return b == ' ' || b == '\t' || b == '\r' || b == 0x0b || b == '\f' || b == 0;
    }

    private void addWord(byte[] bytes, int start, int end) {
        int hash = Dictionary.hash(bytes, start, end);
        int id = dictionary.find(bytes, start, end, hash);
        if (id >= dictionary.words() || id < 0 && Dictionary.startsWithLabelPrefix(bytes, start, end)) {
            return;
        }
        if (id >= 0) {
            addRow(id);
        }
        if (bytes != Dictionary.END_OF_SENTENCE) {
            addCharacterNgrams(bytes, start, end);
        }
        if (settings.wordNgrams() > 1) {
            if (tokens == wordHashes.length) {
                wordHashes = Arrays.copyOf(wordHashes, 2 * tokens);
            }
            wordHashes[tokens] = hash;
        }
        tokens++;
    }

    /// The n-grams of a word between `<` and `>`; a bracket alone is none.
    private void addCharacterNgrams(byte[] bytes, int start, int end) {
        int longest = settings.longest();
        int shortest = settings.shortest();
        if (longest == 0) {
            return;
        }
        int length = end - start + 2;
        if (bracketed.length < length) {
            bracketed = new byte[2 * length];
        }
        byte[] word = bracketed;
        word[0] = '<';
        System.arraycopy(bytes, start, word, 1, end - start);
        word[length - 1] = '>';
        for (int i = 0; i < length; i++) {
            if (isContinuation(word[i])) {
                continue;
            }
            int hash = Dictionary.emptyHash();
            int j = i;
            for (int n = 1; n <= longest && j < length; n++) {
                hash = Dictionary.extend(hash, word[j++]);
                while (j < length && isContinuation(word[j])) {
                    hash = Dictionary.extend(hash, word[j++]);
                }
                if (n >= shortest && (n > 1 || i != 0 && j != length)) {
                    addNgram(bucket(hash));
                }
            }
        }
    }

    private static boolean isContinuation(byte b) {
        return (b & 0xc0) == 0x80;
    }

    /// An unsigned remainder by two multiplications (Lemire, Kaser and Kurz, 2019), exact for 32 bits.
    private int bucket(int hash) {
        return (int) Math.unsignedMultiplyHigh(bucketReciprocal * (hash & 0xffffffffL), settings.buckets());
    }

    private void addWordNgrams() {
        for (int i = 0; i < tokens && settings.wordNgrams() > 1; i++) {
            long hash = wordHashes[i];
            for (int j = i + 1; j < tokens && j < i + settings.wordNgrams(); j++) {
                hash = hash * WORD_NGRAM_FACTOR + wordHashes[j];
                addNgram((int) Long.remainderUnsigned(hash, settings.buckets()));
            }
        }
    }

    private void addNgram(int bucket) {
        int row = ngrams.row(bucket);
        if (row >= 0) {
            addRow(row);
        }
    }

    private void addRow(int row) {
        if (count == rows.length) {
            rows = Arrays.copyOf(rows, 2 * count);
        }
        rows[count++] = row;
    }
}
