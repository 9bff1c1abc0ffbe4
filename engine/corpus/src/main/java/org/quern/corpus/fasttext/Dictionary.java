package org.quern.corpus.fasttext;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// The words and labels of a model, and the rows that n-grams are hashed to. Words have ids from 0, labels
/// follow them.
final class Dictionary {
    /// Stands for the end of a line.
    static final byte[] END_OF_SENTENCE = "</s>".getBytes(StandardCharsets.US_ASCII);
    static final byte[] LABEL_PREFIX = "__label__".getBytes(StandardCharsets.US_ASCII);
    private static final int FNV_BASIS = 0x811c9dc5;
    private static final int FNV_PRIME = 0x01000193;

    private final byte[][] entries;
    private final long[] counts;
    private final int words;
    private final int[] table;
    private final NgramRows ngrams;

    /// @param entries the words, then the labels, in UTF-8
    /// @param counts how often each was seen in training
    Dictionary(byte[][] entries, long[] counts, int words, NgramRows ngrams) {
        this.entries = entries;
        this.counts = counts;
        this.words = words;
        this.ngrams = ngrams;
        table = new int[Integer.highestOneBit(Math.max(8, entries.length)) * 4];
        Arrays.fill(table, -1);
        for (int id = 0; id < entries.length; id++) {
            int slot = slot(entries[id], 0, entries[id].length, hash(entries[id], 0, entries[id].length));
            table[slot] = id;
        }
    }

    static Dictionary read(ModelFile file, int bucket) {
        int size = file.readInt();
        int words = file.readInt();
        int labels = file.readInt();
        file.readLong();
        long pruned = file.readLong();
        file.require(
                words >= 0 && labels > 0 && (long) words + labels == size,
                words + " words and " + labels + " labels in a dictionary of " + size);
        file.require(size <= file.remaining() / 10, "a dictionary of " + size + " entries does not fit");
        file.require(pruned >= -1, pruned + " kept n-grams");
        byte[][] entries = new byte[size][];
        long[] counts = new long[size];
        for (int id = 0; id < size; id++) {
            entries[id] = file.readWord();
            counts[id] = file.readLong();
            int type = file.readByte();
            file.require(type == (id < words ? 0 : 1), "entry " + id + " has type " + type);
            file.require(counts[id] >= 0, "entry " + id + " was seen " + counts[id] + " times");
        }
        NgramRows ngrams =
                pruned < 0 ? new NgramRows.All(bucket, words) : NgramRows.Kept.read(file, pruned, bucket, words);
        return new Dictionary(entries, counts, words, ngrams);
    }

    int words() {
        return words;
    }

    int labels() {
        return entries.length - words;
    }

    /// A label's name without its prefix.
    String label(int index) {
        String label = new String(entries[words + index], StandardCharsets.UTF_8);
        String prefix = new String(LABEL_PREFIX, StandardCharsets.US_ASCII);
        return label.startsWith(prefix) ? label.substring(prefix.length()) : label;
    }

    long labelCount(int index) {
        return counts[words + index];
    }

    NgramRows ngrams() {
        return ngrams;
    }

    byte[] entry(int id) {
        return entries[id];
    }

    long count(int id) {
        return counts[id];
    }

    /// The id of a word or label, or -1.
    int find(byte[] text, int start, int end, int hash) {
        return table[slot(text, start, end, hash)];
    }

    private int slot(byte[] text, int start, int end, int hash) {
        int mask = table.length - 1;
        int slot = hash & mask;
        while (table[slot] >= 0
                && !Arrays.equals(entries[table[slot]], 0, entries[table[slot]].length, text, start, end)) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }

    /// FNV-1a as fastText computes it: bytes above 127 count as negative numbers.
    static int hash(byte[] text, int start, int end) {
        int hash = FNV_BASIS;
        for (int i = start; i < end; i++) {
            hash = extend(hash, text[i]);
        }
        return hash;
    }

    static int emptyHash() {
        return FNV_BASIS;
    }

    static int extend(int hash, byte next) {
        return (hash ^ next) * FNV_PRIME;
    }

    static boolean startsWithLabelPrefix(byte[] text, int start, int end) {
        int length = LABEL_PREFIX.length;
        return end - start >= length && Arrays.equals(text, start, start + length, LABEL_PREFIX, 0, length);
    }
}
