package org.quern.corpus.fasttext;

import java.util.Arrays;

/// Which row of the input matrix an n-gram has: hashed into a fixed number of buckets, of which a quantised
/// model keeps only some.
sealed interface NgramRows {
    /// The row of a bucket, or -1 when it was not kept.
    int row(int bucket);

    /// The number of rows that n-grams take.
    int rows();

    /// Every bucket has a row, after those of the words.
    record All(int buckets, int words) implements NgramRows {
        @Override
        public int row(int bucket) {
            return words + bucket;
        }

        @Override
        public int rows() {
            return buckets;
        }
    }

    /// A set of buckets: a bit each, how many bits are set before each long, and the rows in the order of
    /// the bits. Most n-grams of a text are answered by the bits alone, which stay in the cache.
    record Kept(long[] bits, int[] before, int[] rowOfRank) implements NgramRows {
        private static final int MOST_BUCKETS = 1 << 28;

        static Kept read(ModelFile file, long count, int buckets, int words) {
            file.require(count <= file.remaining() / 8, count + " kept n-grams do not fit");
            file.require(buckets <= MOST_BUCKETS, buckets + " buckets");
            long[] bucketsAndRows = new long[(int) count];
            for (int i = 0; i < count; i++) {
                int bucket = file.readInt();
                int row = file.readInt();
                file.require(
                        bucket >= 0 && bucket < buckets && row >= 0 && row < count,
                        "n-gram " + bucket + " of " + buckets + " has row " + row + " of " + count);
                bucketsAndRows[i] = (long) bucket << 32 | words + row;
            }
            Arrays.sort(bucketsAndRows);
            long[] bits = new long[buckets / 64 + 1];
            int[] rowOfRank = new int[(int) count];
            for (int rank = 0; rank < count; rank++) {
                int bucket = (int) (bucketsAndRows[rank] >>> 32);
                file.require((bits[bucket >>> 6] & 1L << bucket) == 0, "n-gram " + bucket + " is kept twice");
                bits[bucket >>> 6] |= 1L << bucket;
                rowOfRank[rank] = (int) bucketsAndRows[rank];
            }
            int[] before = new int[bits.length];
            for (int i = 1; i < bits.length; i++) {
                before[i] = before[i - 1] + Long.bitCount(bits[i - 1]);
            }
            return new Kept(bits, before, rowOfRank);
        }

        @Override
        public int row(int bucket) {
            long group = bits[bucket >>> 6];
            long bit = 1L << bucket;
            return (group & bit) == 0 ? -1 : rowOfRank[before[bucket >>> 6] + Long.bitCount(group & (bit - 1))];
        }

        @Override
        public int rows() {
            return rowOfRank.length;
        }
    }
}
