package org.quern.kernels.check;

/// Philox 4x32-10, a counter-based random generator (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
/// 2011), as the kernels have it.
final class Philox4x32 {
    private Philox4x32() {}

    /// 128 random bits.
    static int[] words(long seed, int counter0, int counter1, int counter2, int counter3) {
        int[] words = {counter0, counter1, counter2, counter3};
        int key0 = (int) seed;
        int key1 = (int) (seed >>> 32);
        for (int round = 0; round < 10; round++) {
            long product0 = (words[0] & 0xFFFFFFFFL) * 0xD2511F53L;
            long product1 = (words[2] & 0xFFFFFFFFL) * 0xCD9E8D57L;
            words = new int[] {
                (int) (product1 >>> 32) ^ words[1] ^ key0,
                (int) product1,
                (int) (product0 >>> 32) ^ words[3] ^ key1,
                (int) product0
            };
            key0 += 0x9E3779B9;
            key1 += 0xBB67AE85;
        }
        return words;
    }

    /// A value rounded to bf16 stochastically, as element `index` of a tensor.
    static float round(float value, long seed, int stream, int step, long index) {
        int word = words(seed, (int) (index / 4), (int) (index / 4 >>> 32), step, stream)[(int) (index % 4)];
        int bits = Float.floatToRawIntBits(value);
        return Float.intBitsToFloat((Float.isFinite(value) ? bits + (word >>> 16) : bits) & 0xFFFF0000);
    }
}
