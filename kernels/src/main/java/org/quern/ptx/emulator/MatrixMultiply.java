package org.quern.ptx.emulator;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.VectorSpecies;

/// `mma.sync.m16n8k16` and `m16n8k8` of bf16 or f16 with f32 accumulators.
///
/// Fragments, of lane `t`: register `r` of A holds row `t / 4 + 8 (r % 2)`, columns `2 (t % 4) + 8 (r / 2)` and the
/// next; register `r` of B holds rows `2 (t % 4) + 8 r` and the next of column `t / 4`; register `i` of C and D holds
/// row `t / 4 + 8 (i / 2)`, column `2 (t % 4) + i % 2`. The lower half of a register comes first.
///
/// The sum over k is exact in double precision and is added to C with one rounding.
final class MatrixMultiply implements Operation {
    private static final VectorSpecies<Double> LANES = DoubleVector.SPECIES_PREFERRED;
    private static final int COLUMNS = 8;

    private final boolean half;
    /// 8 or 16.
    private final int depth;
    private final int[] d;
    private final int[] a;
    private final int[] b;
    private final int[] c;

    /// @param half elements are f16, not bf16
    MatrixMultiply(boolean half, int[] d, int[] a, int[] b, int[] c) {
        this.half = half;
        depth = b.length * 8;
        this.d = d;
        this.a = a;
        this.b = b;
        this.c = c;
    }

    @Override
    public int flops() {
        return 2 * 16 * COLUMNS * depth / 32;
    }

    /// Matrices of an execution, as numbers.
    static final class Scratch {
        private final double[] a = new double[16 * 16];
        private final double[] b = new double[16 * COLUMNS];
        private final double[] sums = new double[16 * COLUMNS];
    }

    @Override
    public void execute(Warp warp, int mask) {
        if (!MatrixLoad.isFull(warp, mask)) {
            return;
        }
        Registers registers = warp.registers;
        int[] words = registers.words;
        Scratch scratch = warp.block.execution.matrices;
        require(warp, a);
        require(warp, b);
        require(warp, c);
        for (int r = 0; r < a.length; r++) {
            int from = a[r] * 32;
            for (int lane = 0; lane < 32; lane++) {
                int row = (lane >> 2) + 8 * (r & 1);
                int column = 2 * (lane & 3) + 8 * (r >> 1);
                int pair = words[from + lane];
                scratch.a[row * depth + column] = number(pair);
                scratch.a[row * depth + column + 1] = number(pair >>> 16);
            }
        }
        for (int r = 0; r < b.length; r++) {
            int from = b[r] * 32;
            for (int lane = 0; lane < 32; lane++) {
                int row = 2 * (lane & 3) + 8 * r;
                int column = lane >> 2;
                int pair = words[from + lane];
                scratch.b[row * COLUMNS + column] = number(pair);
                scratch.b[(row + 1) * COLUMNS + column] = number(pair >>> 16);
            }
        }
        multiply(scratch.a, scratch.b, scratch.sums, depth);
        for (int i = 0; i < 4; i++) {
            for (int lane = 0; lane < 32; lane++) {
                scratch.sums[place(i, lane)] += Float.intBitsToFloat(words[c[i] * 32 + lane]);
            }
        }
        for (int i = 0; i < 4; i++) {
            for (int lane = 0; lane < 32; lane++) {
                words[d[i] * 32 + lane] = Float.floatToRawIntBits((float) scratch.sums[place(i, lane)]);
            }
            registers.wordsDefined[d[i]] = -1;
        }
    }

    /// Where register `i` of D lies.
    private static int place(int i, int lane) {
        return ((lane >> 2) + 8 * (i >> 1)) * COLUMNS + 2 * (lane & 3) + (i & 1);
    }

    private static void require(Warp warp, int[] slots) {
        for (int slot : slots) {
            warp.registers.requireWord(warp, slot, -1);
        }
    }

    private float number(int bits) {
        return half ? Float.float16ToFloat((short) bits) : Float.intBitsToFloat(bits << 16);
    }

    private static void multiply(double[] a, double[] b, double[] sums, int depth) {
        for (int row = 0; row < 16; row++) {
            for (int column = 0; column < COLUMNS; column += LANES.length()) {
                DoubleVector sum = DoubleVector.zero(LANES);
                for (int k = 0; k < depth; k++) {
                    sum = DoubleVector.fromArray(LANES, b, k * COLUMNS + column)
                            .fma(DoubleVector.broadcast(LANES, a[row * depth + k]), sum);
                }
                sum.intoArray(sums, row * COLUMNS + column);
            }
        }
    }
}
