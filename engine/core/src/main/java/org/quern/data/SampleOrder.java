package org.quern.data;

import org.quern.base.Philox;

/// In which order the samples of a corpus are met: sample `g` of a run, counted from its first, is at place
/// `place(g)` of the corpus. Computed and never stored, so a run resumes anywhere, and the order does not depend on
/// how many workers or micro-batches share a step: step `k` of global batch `G` takes samples `[kG, (k + 1)G)`.
public sealed interface SampleOrder {
    /// Samples of one epoch.
    long samples();

    /// The place in `[0, samples)` of sample `sample >= 0` of the run.
    long place(long sample);

    /// From the first to the last, over and over.
    static SampleOrder sequential(long samples) {
        return new Sequential(samples);
    }

    /// Every place once an epoch, in an order of its own each epoch that is a pure function of `seed`.
    static SampleOrder shuffled(long samples, long seed) {
        return new Shuffled(samples, seed);
    }

    /// See [#sequential(long)].
    record Sequential(long samples) implements SampleOrder {
        public Sequential {
            checkSamples(samples);
        }

        @Override
        public long place(long sample) {
            return sample % samples;
        }
    }

    /// A balanced Feistel network over the smallest even number of bits that hold `samples`, with Philox as the
    /// round function; results outside the range are put in again until one is inside ("cycle walking": Black and
    /// Rogaway, "Ciphers with Arbitrary Finite Domains", 2002), which takes less than four turns on average.
    record Shuffled(long samples, long seed) implements SampleOrder {
        private static final int STREAM = 0x5A3B1E;
        private static final int ROUNDS = 8;

        public Shuffled {
            checkSamples(samples);
        }

        @Override
        public long place(long sample) {
            long epoch = sample / samples;
            long key = Philox.bits(seed, STREAM, ROUNDS, epoch);
            int halfBits = (Long.SIZE - Long.numberOfLeadingZeros(samples - 1) + 1) / 2;
            long place = sample % samples;
            do {
                place = permute(place, key, halfBits);
            } while (place >= samples);
            return place;
        }

        private static long permute(long value, long key, int halfBits) {
            long mask = (1L << halfBits) - 1;
            long left = value >>> halfBits;
            long right = value & mask;
            for (int round = 0; round < ROUNDS; round++) {
                long mixed = left ^ Philox.bits(key, STREAM, round, right) & mask;
                left = right;
                right = mixed;
            }
            return left << halfBits | right;
        }
    }

    private static void checkSamples(long samples) {
        if (samples < 1 || samples > 1L << 62) {
            throw new IllegalArgumentException("samples must be in 1..2^62: got " + samples);
        }
    }
}
