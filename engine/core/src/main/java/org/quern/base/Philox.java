package org.quern.base;

/// Philox 2x64-10, a counter-based random generator (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
/// 2011): the value is a pure function of (seed, stream, step, index), so there is no state to save.
public final class Philox {
    private static final long MULTIPLIER = 0xD2B74407B1CE6E93L;
    private static final long WEYL = 0x9E3779B97F4A7C15L;

    private Philox() {}

    /// 64 random bits. `stream` tells uses apart (initialisation, sampling, ...).
    public static long bits(long seed, int stream, int step, long index) {
        long key = seed;
        long left = index;
        long right = (long) stream << 32 | step & 0xFFFFFFFFL;
        for (int round = 0; round < 10; round++) {
            long high = Math.unsignedMultiplyHigh(MULTIPLIER, left);
            long low = MULTIPLIER * left;
            left = high ^ key ^ right;
            right = low;
            key += WEYL;
        }
        return left;
    }

    /// Uniform in [0, 1), 53 bits.
    public static double uniform(long seed, int stream, int step, long index) {
        return (bits(seed, stream, step, index) >>> 11) * 0x1p-53;
    }

    /// Standard normal, by Box and Muller.
    public static double normal(long seed, int stream, int step, long index) {
        double u = 1 - uniform(seed, stream, step, 2 * index);
        double v = uniform(seed, stream, step, 2 * index + 1);
        return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
    }
}
