package org.quern.tokenizer;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/// Encodes text into ids, remembering the words it has met. Not thread-safe: one for each thread.
///
/// Words of up to 15 bytes are kept in a cache of 32-byte entries, two to a cache line: the word and its length
/// in two longs, then up to four tokens, or where more of them lie. Other words of less than 100 bytes are kept
/// in a [WordCache]. New words are merged, the short ones in plain arrays, the long ones with a heap, so that a
/// word of n bytes costs O(n log n) whatever it holds.
public final class Encoder {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private static final int MAX_CACHED_BYTES = 15;
    private static final int MAX_PACKED_TOKENS = 4;
    private static final int MAX_KEPT_TOKENS = 1 << 21;
    private static final int ENTRY = 4;
    private static final int MIN_CACHE_ENTRIES = 1 << 8;
    private static final int MAX_CACHE_ENTRIES = 1 << 18;
    private static final long[] LOW_MASK = new long[MAX_CACHED_BYTES + 1];
    private static final long[] HIGH_MASK = new long[MAX_CACHED_BYTES + 1];

    static {
        for (int length = 1; length <= MAX_CACHED_BYTES; length++) {
            LOW_MASK[length] = length >= 8 ? -1 : (1L << 8 * length) - 1;
            HIGH_MASK[length] = length <= 8 ? 0 : (1L << 8 * (length - 8)) - 1;
        }
    }

    /// From here on a heap is faster than a scan for the most urgent merge.
    private static final int LONG_WORD = 100;

    private final Tokenizer tokenizer;
    private final Vocabulary vocabulary;
    private final SplitPattern pattern;
    private final MergeTable merges;
    private final int[] byteIds;
    private final boolean wholeWords;

    private long[] cache = new long[ENTRY * MIN_CACHE_ENTRIES];
    private int cached;
    /// The tokens of the entries that have more than four.
    private int[] many = new int[1 << 8];

    private int manySize;
    private final WordCache longerWords = new WordCache();

    private final int[] ids = new int[LONG_WORD];
    /// Rank and result of the merge of `ids[i]` with `ids[i + 1]`.
    private final long[] next = new long[LONG_WORD];
    private LongWord longWord;

    Encoder(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        this.vocabulary = tokenizer.vocabulary();
        this.pattern = tokenizer.pattern();
        this.merges = tokenizer.mergeTable();
        this.byteIds = tokenizer.byteIds();
        this.wholeWords = tokenizer.wholeWords();
    }

    /// Appends the ids of a text to `out`; special tokens in it are read as plain text. Bytes that are not UTF-8 are
    /// kept as they are.
    public void encode(byte[] utf8, int from, int to, TokenBuffer out) {
        encode(utf8, from, to, tokenizer.plainAdded(), 0, out);
    }

    /// As [#encode], but special tokens in the text become their ids. Only for text from a trusted hand.
    public void encodeWithSpecials(byte[] utf8, int from, int to, TokenBuffer out) {
        encode(utf8, from, to, tokenizer.allAdded(), 0, out);
    }

    /// Splits at the tokens of the finders from `level` on, one finder after the other.
    private void encode(byte[] text, int from, int to, AddedTokenFinder[] finders, int level, TokenBuffer out) {
        if (level == finders.length) {
            encodeWords(text, from, to, out);
            return;
        }
        int start = from;
        while (start < to) {
            int found = finders[level].find(text, start, to);
            encode(text, start, found, finders, level + 1, out);
            if (found == to) {
                break;
            }
            AddedToken token = finders[level].at(text, found, to);
            out.add(token.id());
            start = found + token.utf8().length;
        }
    }

    private void encodeWords(byte[] text, int from, int to, TokenBuffer out) {
        int start = from;
        while (start < to) {
            if (to - start >= 2 * Long.BYTES) {
                long low = (long) LONG.get(text, start);
                long high = (long) LONG.get(text, start + Long.BYTES);
                int length = pattern.shortWord(low, high);
                if (length > 0) {
                    encodePacked(text, start, start + length, low & LOW_MASK[length], high & HIGH_MASK[length], out);
                    start += length;
                    continue;
                }
            }
            int end = pattern.next(text, start, to);
            if (end - start <= MAX_CACHED_BYTES) {
                encodeShort(text, start, end, out);
            } else {
                encodeLonger(text, start, end, out);
            }
            start = end;
        }
    }

    private void encodeShort(byte[] text, int from, int to, TokenBuffer out) {
        int length = to - from;
        long low;
        long high;
        if (from + 2 * Long.BYTES <= text.length) {
            low = (long) LONG.get(text, from) & LOW_MASK[length];
            high = (long) LONG.get(text, from + Long.BYTES) & HIGH_MASK[length];
        } else {
            low = 0;
            high = 0;
            for (int i = length - 1; i >= 0; i--) {
                if (i < Long.BYTES) {
                    low = low << 8 | text[from + i] & 0xFF;
                } else {
                    high = high << 8 | text[from + i] & 0xFF;
                }
            }
        }
        encodePacked(text, from, to, low, high, out);
    }

    /// @param low the first eight bytes of the word, the first one lowest
    /// @param bytes9to15 the others
    private void encodePacked(byte[] text, int from, int to, long low, long bytes9to15, TokenBuffer out) {
        long high = bytes9to15 | (long) (to - from) << 56;
        int entry = entry(low, high);
        if (cache[entry] != low || cache[entry + 1] != high) {
            // The other entry of the pair, on the same cache line.
            entry ^= ENTRY;
            if (cache[entry] != low || cache[entry + 1] != high) {
                encodeNew(text, from, to, low, high, out);
                return;
            }
        }
        long first = cache[entry + 2];
        if ((int) first < 0) {
            out.addAll(many, ~(int) first, (int) cache[entry + 3]);
        } else {
            out.addFour(first, cache[entry + 3]);
        }
    }

    private int entry(long low, long high) {
        long hash = (low ^ Long.rotateLeft(high, 29)) * 0x9E3779B97F4A7C15L;
        hash ^= hash >>> 29;
        return (int) (hash >>> 20) * ENTRY & cache.length - 1;
    }

    private void encodeNew(byte[] text, int from, int to, long low, long high, TokenBuffer out) {
        int before = out.size();
        encodeUncached(text, from, to, out);
        int count = out.size() - before;
        if (2 * ENTRY * ++cached > cache.length && cache.length < ENTRY * MAX_CACHE_ENTRIES) {
            enlargeCache();
        }
        int[] tokens = out.array();
        if (count > MAX_PACKED_TOKENS) {
            insert(low, high, ~keep(tokens, before, count), count);
            return;
        }
        long first = 0xFFFF_FFFFL & tokens[before] | (count > 1 ? (long) tokens[before + 1] << 32 : -1L << 32);
        long second = count > 2
                ? 0xFFFF_FFFFL & tokens[before + 2] | (count > 3 ? (long) tokens[before + 3] << 32 : -1L << 32)
                : -1;
        insert(low, high, first, second);
    }

    /// Where the tokens are kept from now on. If there are too many, the cache begins anew.
    private int keep(int[] tokens, int from, int count) {
        if (manySize + count > MAX_KEPT_TOKENS) {
            Arrays.fill(cache, 0);
            cached = 0;
            manySize = 0;
        }
        if (manySize + count > many.length) {
            many = Arrays.copyOf(many, 2 * many.length);
        }
        System.arraycopy(tokens, from, many, manySize, count);
        manySize += count;
        return manySize - count;
    }

    /// Puts an entry first in its pair; the one that was first becomes second, the second is forgotten.
    private void insert(long low, long high, long first, long second) {
        int entry = entry(low, high);
        System.arraycopy(cache, entry, cache, entry ^ ENTRY, ENTRY);
        cache[entry] = low;
        cache[entry + 1] = high;
        cache[entry + 2] = first;
        cache[entry + 3] = second;
    }

    private void enlargeCache() {
        long[] old = cache;
        cache = new long[4 * old.length];
        for (int i = 0; i < old.length; i += ENTRY) {
            if (old[i + 1] != 0) {
                insert(old[i], old[i + 1], old[i + 2], old[i + 3]);
            }
        }
    }

    private void encodeLonger(byte[] text, int from, int to, TokenBuffer out) {
        boolean keep = to - from < LONG_WORD;
        if (keep && longerWords.get(text, from, to, out)) {
            return;
        }
        int before = out.size();
        encodeUncached(text, from, to, out);
        if (keep) {
            longerWords.put(text, from, to, out.array(), before, out.size() - before);
        }
    }

    private void encodeUncached(byte[] text, int from, int to, TokenBuffer out) {
        if (wholeWords) {
            int whole = vocabulary.find(text, from, to);
            if (whole >= 0) {
                out.add(whole);
                return;
            }
        }
        if (to - from < LONG_WORD) {
            merge(text, from, to, out);
        } else {
            if (longWord == null) {
                longWord = new LongWord(merges, byteIds);
            }
            longWord.merge(text, from, to, out);
        }
    }

    /// Merges the leftmost most urgent pair until none is left.
    private void merge(byte[] text, int from, int to, TokenBuffer out) {
        int length = to - from;
        int best = 0;
        ids[0] = byteIds[text[from] & 0xFF];
        next[length - 1] = MergeTable.NONE;
        for (int i = 1; i < length; i++) {
            ids[i] = byteIds[text[from + i] & 0xFF];
            next[i - 1] = merges.ofBytes(text[from + i - 1], text[from + i]);
            if (next[i - 1] < next[best]) {
                best = i - 1;
            }
        }
        while (next[best] != MergeTable.NONE) {
            ids[best] = (int) next[best];
            length--;
            // The tokens behind it move up, and the next merge is looked for on the way.
            for (int i = best + 1; i < length; i++) {
                ids[i] = ids[i + 1];
                next[i] = next[i + 1];
            }
            next[best] = best + 1 < length ? merges.get(ids[best], ids[best + 1]) : MergeTable.NONE;
            if (best > 0) {
                next[best - 1] = merges.get(ids[best - 1], ids[best]);
            }
            best = 0;
            for (int i = 1; i < length; i++) {
                if (next[i] < next[best]) {
                    best = i;
                }
            }
        }
        out.addAll(ids, 0, length);
    }
}
