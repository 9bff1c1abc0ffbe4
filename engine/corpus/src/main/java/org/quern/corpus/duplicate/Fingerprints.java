package org.quern.corpus.duplicate;

import org.quern.base.Philox;
import org.quern.corpus.filter.NormalText;

/// Computes the signatures of texts: one thread's.
///
/// MinHash keeps, for each of many hash functions, the smallest hash among a text's n-grams; two texts
/// agree in one with the probability that is the share of n-grams they have in common (Broder, 1997). The
/// functions are (a x + b) mod 2^61 - 1 of a 61-bit hash of the n-gram. (datatrove lets the product
/// overflow 64 bits before the remainder; here it is exact.)
public final class Fingerprints {
    private static final long PRIME = (1L << 61) - 1;
    private static final int STREAM_MULTIPLIER = 1;
    private static final int STREAM_SUMMAND = 2;

    private final Scheme scheme;
    private final NormalText text = new NormalText();
    private final long[] multipliers;
    private final long[] summands;
    private long[] ngrams = new long[1 << 10];

    public Fingerprints(Scheme scheme) {
        this.scheme = scheme;
        multipliers = new long[scheme.size()];
        summands = new long[scheme.size()];
        for (int i = 0; i < scheme.size(); i++) {
            multipliers[i] = 1 + Long.remainderUnsigned(Philox.bits(scheme.seed(), STREAM_MULTIPLIER, 0, i), PRIME - 1);
            summands[i] = Long.remainderUnsigned(Philox.bits(scheme.seed(), STREAM_SUMMAND, 0, i), PRIME);
        }
    }

    /// Writes the signature of a text, bucket after bucket.
    ///
    /// @param signature [Scheme#size()] longs, not negative
    /// @return false, with nothing written, for a text with fewer words than an n-gram
    public boolean sign(CharSequence page, long[] signature) {
        text.read(page);
        if (text.count() < Math.max(1, scheme.words())) {
            return false;
        }
        if (scheme.words() == 0) {
            for (int i = 0; i < signature.length; i++) {
                signature[i] = text.hash(summands[i]) >>> 1;
            }
            return true;
        }
        int count = readNgrams();
        for (int i = 0; i < signature.length; i++) {
            signature[i] = smallest(multipliers[i], summands[i], count);
        }
        return true;
    }

    private int readNgrams() {
        int count = text.count() - scheme.words() + 1;
        if (ngrams.length < count) {
            ngrams = new long[2 * count];
        }
        for (int i = 0; i < count; i++) {
            ngrams[i] = text.ngram(i, scheme.words()) >>> 3;
        }
        return count;
    }

    private long smallest(long multiplier, long summand, int count) {
        long smallest = Long.MAX_VALUE;
        long[] hashes = ngrams;
        for (int i = 0; i < count; i++) {
            long high = Math.multiplyHigh(multiplier, hashes[i]);
            long low = multiplier * hashes[i];
            long sum = (low & PRIME) + (high << 3 | low >>> 61) + summand;
            long folded = (sum & PRIME) + (sum >>> 61);
            smallest = Math.min(smallest, folded >= PRIME ? folded - PRIME : folded);
        }
        return smallest;
    }
}
