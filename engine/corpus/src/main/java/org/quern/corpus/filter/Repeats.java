package org.quern.corpus.filter;

import java.util.Arrays;

/// How much of a text is said more than once. Parts are compared by 64-bit hashes, not by their characters.
/// One thread's: the tables are kept for the next text.
final class Repeats {
    /// A Mersenne prime, so that a remainder is a shift and an addition.
    private static final long PRIME = (1L << 61) - 1;
    private static final long BASE = 0x1b873593cc9e2d51L & PRIME;
    private static final long MULTIPLIER = 0x9e3779b97f4a7c15L;

    private long[] keys = new long[1 << 10];
    private int[] counts = new int[1 << 10];
    private int[] rounds = new int[1 << 10];
    private int round;
    private long[] powers = {1};
    private long[] prefixes = new long[1 << 10];
    private int[] lengths = new int[1 << 10];
    private int repeated;
    private long repeatedCharacters;

    /// Counts the parts that stand before already, and their code points.
    void count(Words words, Spans parts) {
        clear(parts.count());
        repeated = 0;
        repeatedCharacters = 0;
        for (int i = 0; i < parts.count(); i++) {
            if (add(hash(words.chars(), parts.start(i), parts.end(i))) > 1) {
                repeated++;
                repeatedCharacters += words.length(parts.start(i), parts.end(i));
            }
        }
    }

    int repeated() {
        return repeated;
    }

    long repeatedCharacters() {
        return repeatedCharacters;
    }

    /// Prepares the n-grams of a text's words.
    void index(Words words) {
        int count = words.spans().count();
        if (prefixes.length <= count) {
            prefixes = new long[2 * count];
            lengths = new int[2 * count];
        }
        for (int word = 0; word < count; word++) {
            long prefix = prefixes[word];
            for (int i = words.spans().start(word); i < words.spans().end(word); i++) {
                prefix = remainder(multiply(prefix, BASE) + words.chars()[i] + 1);
            }
            prefixes[word + 1] = prefix;
            lengths[word] = words.spans().end(word) - words.spans().start(word);
        }
    }

    /// The code points of the most frequent n-gram, with single spaces in it, times its count; of equally
    /// frequent ones the first counts. 0 without n-grams.
    long mostFrequent(Words words, int n) {
        int grams = words.spans().count() - n + 1;
        clear(grams);
        int most = 0;
        for (int i = 0; i < grams; i++) {
            most = Math.max(most, add(sequenceHash(i, n)));
        }
        for (int i = 0; i < grams; i++) {
            if (counts[slot(sequenceHash(i, n))] == most) {
                return (characters(words, i, n) + n - 1) * most;
            }
        }
        return 0;
    }

    /// The code points of n-grams that stand before already, without spaces; those found do not overlap.
    long repeatedNgrams(Words words, int n) {
        int grams = words.spans().count() - n + 1;
        clear(grams);
        long characters = 0;
        int i = 0;
        while (i < grams) {
            if (add(joinedHash(i, n)) > 1) {
                characters += characters(words, i, n);
                i += n;
            } else {
                i++;
            }
        }
        return characters;
    }

    private static long characters(Words words, int from, int n) {
        long characters = 0;
        for (int word = from; word < from + n; word++) {
            characters += words.length(word);
        }
        return characters;
    }

    private static long hash(char[] chars, int start, int end) {
        long hash = 0;
        for (int i = start; i < end; i++) {
            hash = (Long.rotateLeft(hash, 5) ^ chars[i] + 1) * MULTIPLIER;
        }
        return hash;
    }

    private long sequenceHash(int from, int n) {
        long hash = 0;
        for (int word = from; word < from + n; word++) {
            hash = (Long.rotateLeft(hash, 5) ^ joinedHash(word, 1)) * MULTIPLIER;
        }
        return hash;
    }

    /// A hash of the words' characters without what is between them: "can not" is "cannot".
    private long joinedHash(int from, int n) {
        int length = 0;
        for (int word = from; word < from + n; word++) {
            length += lengths[word];
        }
        return remainder(prefixes[from + n] + PRIME - multiply(prefixes[from], power(length)));
    }

    private long power(int exponent) {
        if (exponent >= powers.length) {
            int known = powers.length;
            powers = Arrays.copyOf(powers, Math.max(2 * known, exponent + 1));
            for (int i = known; i < powers.length; i++) {
                powers[i] = multiply(powers[i - 1], BASE);
            }
        }
        return powers[exponent];
    }

    /// A product of numbers below the prime, below it as well.
    private static long multiply(long a, long b) {
        long high = Math.multiplyHigh(a, b);
        long low = a * b;
        return remainder((high << 3 | low >>> 61) + (low & PRIME));
    }

    private static long remainder(long value) {
        long folded = (value & PRIME) + (value >>> 61);
        return folded >= PRIME ? folded - PRIME : folded;
    }

    private void clear(int expected) {
        if (2L * expected > keys.length) {
            int size = Integer.highestOneBit(expected) * 4;
            keys = new long[size];
            counts = new int[size];
            rounds = new int[size];
        }
        round++;
    }

    /// Counts a hash and returns how often it was counted.
    private int add(long hash) {
        int slot = slot(hash);
        if (rounds[slot] != round) {
            rounds[slot] = round;
            keys[slot] = hash;
            counts[slot] = 0;
        }
        return ++counts[slot];
    }

    private int slot(long hash) {
        int mask = keys.length - 1;
        int slot = (int) (hash * MULTIPLIER >>> 32) & mask;
        while (rounds[slot] == round && keys[slot] != hash) {
            slot = slot + 1 & mask;
        }
        return slot;
    }
}
