package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.MEMORY;

import java.lang.foreign.ValueLayout;

/// Rounds fp32 to bf16 stochastically: up with the probability of what is cut off, with random numbers of Philox
/// 4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011), as the GPU's kernels do it. Element i
/// of a tensor takes word i mod 4 of the counter (i / 4, step, stream). Infinities and NaN stay.
final class StochasticRounding {
    private static final ValueLayout.OfShort BF16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(Native.ORDER);
    private static final long WORD = 0xFFFFFFFFL;

    private StochasticRounding() {}

    /// Stores the first `count` of four elements.
    ///
    /// @param address of the first, bf16
    /// @param group its number / 4
    static void store(
            long address,
            int count,
            long group,
            long seed,
            int step,
            int stream,
            float x0,
            float x1,
            float x2,
            float x3) {
        int word0 = (int) group;
        int word1 = (int) (group >>> 32);
        int word2 = step;
        int word3 = stream;
        int key0 = (int) seed;
        int key1 = (int) (seed >>> 32);
        for (int round = 0; round < 10; round++) {
            long product0 = (word0 & WORD) * 0xD2511F53L;
            long product1 = (word2 & WORD) * 0xCD9E8D57L;
            word0 = (int) (product1 >>> 32) ^ word1 ^ key0;
            word2 = (int) (product0 >>> 32) ^ word3 ^ key1;
            word1 = (int) product1;
            word3 = (int) product0;
            key0 += 0x9E3779B9;
            key1 += 0xBB67AE85;
        }
        store(address, x0, word0);
        if (count > 1) {
            store(address + 2, x1, word1);
        }
        if (count > 2) {
            store(address + 4, x2, word2);
        }
        if (count > 3) {
            store(address + 6, x3, word3);
        }
    }

    private static void store(long address, float value, int word) {
        int bits = Float.floatToRawIntBits(value);
        int rounded = Float.isFinite(value) ? bits + (word >>> 16) : bits;
        MEMORY.set(BF16, address, (short) (rounded >>> 16));
    }

    /// A bf16 number.
    static float load(long address) {
        return Float.intBitsToFloat(MEMORY.get(BF16, address) << 16);
    }
}
