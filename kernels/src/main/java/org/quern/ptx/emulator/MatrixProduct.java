package org.quern.ptx.emulator;

import static org.quern.ptx.emulator.EmulatorFault.Kind.DIVERGED;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.VectorSpecies;

/// `wgmma.mma_async` with f32 accumulators, of bf16 or f16 (`m64nNk16`) or of floats of 8 bits (`m64nNk32`): D = A B,
/// or D += A B, by the four warps of a warpgroup. B is in shared memory, A there or in registers.
///
/// Warp `w` of the four holds rows `16 w` to `16 w + 15` of A and D. Of them lane `t` holds in register `r` of A row
/// `t / 4 + 8 (r % 2)`, the `e` elements from k `e (t % 4) + 4 e (r / 2)` on that it has room for; in register `i` of
/// D row `t / 4 + 8 (i / 2 % 2)`, column `8 (i / 4) + 2 (t % 4) + i % 2`.
///
/// The sum over k is exact in double precision and is added to D with one rounding. Hardware cuts off more, and of
/// floats of 8 bits much more: NVIDIA does not say how much; DeepSeek-V3's report (arXiv 2412.19437) finds about 14
/// bits left on an H800. The sum is computed when the last of the four warps issues it: nobody can see or change
/// anything of it between then and a wait.
///
/// @param columns N
/// @param elementA what A is made of; elementB has as many bytes
/// @param accumulators N / 2 registers
/// @param fragments 4 registers of A, or none if it is in shared memory
/// @param descriptorA where it is in shared memory
/// @param scale a predicate: whether D is added to
/// @param signA 1 or -1, as signB
/// @param mnMajorA whether M is the contiguous dimension of A, as mnMajorB for N
record MatrixProduct(
        int columns,
        Element elementA,
        Element elementB,
        int[] accumulators,
        int[] fragments,
        int descriptorA,
        int descriptorB,
        int scale,
        int scaleFlip,
        int signA,
        int signB,
        boolean mnMajorA,
        boolean mnMajorB)
        implements Operation {
    private static final VectorSpecies<Double> LANES = DoubleVector.SPECIES_PREFERRED;
    private static final int ROWS = 64;
    private static final int MOST_DEPTH = 32;
    private static final int MOST_COLUMNS = 256;

    /// What matrices are made of.
    enum Element {
        BF16(2) {
            @Override
            float number(int bits) {
                return BrainFloats.toFloat(bits);
            }
        },
        F16(2) {
            @Override
            float number(int bits) {
                return Float.float16ToFloat((short) bits);
            }
        },
        E4M3(1) {
            @Override
            float number(int bits) {
                return Float8.E4M3.toFloat(bits);
            }
        },
        E5M2(1) {
            @Override
            float number(int bits) {
                return Float8.E5M2.toFloat(bits);
            }
        };

        private final int bytes;

        Element(int bytes) {
            this.bytes = bytes;
        }

        /// @param bits the lowest ones count
        abstract float number(int bits);

        int bytes() {
            return bytes;
        }

        /// Of a product: 32 bytes.
        int depth() {
            return 32 / bytes;
        }
    }

    /// What must be the same for all threads of a warpgroup.
    ///
    /// @param a a descriptor, or 0
    record Operands(long a, long b, boolean accumulates) {
        @Override
        public String toString() {
            return "descriptors %#x and %#x, %s".formatted(a, b, accumulates ? "accumulating" : "overwriting");
        }
    }

    /// Matrices of an execution, as numbers.
    static final class Scratch {
        private final double[] a = new double[ROWS * MOST_DEPTH];
        private final double[] b = new double[MOST_DEPTH * MOST_COLUMNS];
        private final double[] row = new double[MOST_COLUMNS];
    }

    @Override
    public int flops() {
        return 2 * ROWS * columns * elementA.depth() / 128;
    }

    @Override
    public void execute(Warp warp, int mask) {
        if (!MatrixLoad.isFull(warp, mask)) {
            return;
        }
        if ((warp.index | 3) >= warp.block.warps.length) {
            throw warp.fault(DIVERGED, 0, "needs the four warps of a warpgroup: the block has no whole one here");
        }
        Registers registers = warp.registers;
        registers.requirePredicate(warp, scale, -1);
        int accumulate = registers.predicates[scale] ^ scaleFlip;
        if (accumulate != 0 && accumulate != -1) {
            throw warp.fault(DIVERGED, 0, "all threads of a warpgroup must agree whether they accumulate");
        }
        boolean overA = fragments.length == 0;
        Operands operands =
                new Operands(overA ? descriptor(warp, descriptorA) : 0, descriptor(warp, descriptorB), accumulate != 0);
        if (accumulate != 0) {
            for (int slot : accumulators) {
                registers.requireWord(warp, slot, -1);
            }
        }
        for (int slot : fragments) {
            registers.requireWord(warp, slot, -1);
        }
        Products.Product product = warp.products.issue(this, operands);
        if (overA) {
            int first = (warp.index & 3) * 16;
            read(warp, product, piecesOf(MatrixDescriptor.decode(warp, operands.a), mnMajorA, first, 16), true);
        }
        int[] b = piecesOf(MatrixDescriptor.decode(warp, operands.b), mnMajorB, 0, columns);
        read(warp, product, b, Products.isFirst(product));
        for (int slot : accumulators) {
            registers.wordsDefined[slot] = -1;
        }
        if (Products.isWhole(product)) {
            multiply(warp, operands, b);
            warp.block.cluster.progressed();
        }
    }

    private static long descriptor(Warp warp, int slot) {
        warp.registers.requireLong(warp, slot, -1);
        long[] longs = warp.registers.longs;
        for (int lane = 1; lane < 32; lane++) {
            if (longs[slot * 32 + lane] != longs[slot * 32]) {
                throw warp.fault(DIVERGED, lane, "the threads of a warpgroup must have the same descriptors");
            }
        }
        return longs[slot * 32];
    }

    /// Addresses of the pieces of 16 bytes of some rows of M or N: by row, or if those are contiguous by k.
    private static int[] piecesOf(MatrixDescriptor descriptor, boolean mnMajor, int first, int count) {
        int[] addresses = new int[count * 2];
        for (int i = 0; i < addresses.length; i++) {
            int wide = count / 8;
            addresses[i] = mnMajor
                    ? descriptor.alongMn(first / 8 + i % wide, i / wide)
                    : descriptor.alongK(first + i / 2, i % 2);
        }
        return addresses;
    }

    private static void read(Warp warp, Products.Product product, int[] addresses, boolean holds) {
        SharedMemory shared = warp.block.shared;
        for (int address : addresses) {
            shared.requireReadable(warp, 0, address, 16, Access.SEVERAL_LANES);
            if (holds) {
                shared.hold(address, 16, warp.at);
            }
        }
        if (holds) {
            product.pieces.add(addresses);
        }
    }

    private void multiply(Warp last, Operands operands, int[] piecesB) {
        Block block = last.block;
        Scratch scratch = block.execution.products;
        int firstWarp = last.index & ~3;
        int[] data = block.shared.data;
        int depth = elementA.depth();
        if (fragments.length == 0) {
            int[] piecesA = piecesOf(MatrixDescriptor.decode(last, operands.a), mnMajorA, 0, ROWS);
            unpack(data, piecesA, elementA, mnMajorA, ROWS, signA, scratch.a, depth, 1);
        } else {
            for (int w = 0; w < 4; w++) {
                unpackFragments(block.warps[firstWarp + w].registers.words, w * 16, scratch.a);
            }
        }
        unpack(data, piecesB, elementB, mnMajorB, columns, signB, scratch.b, 1, columns);
        double[] row = scratch.row;
        for (int m = 0; m < ROWS; m++) {
            for (int n = 0; n < columns; n += LANES.length()) {
                DoubleVector sum = DoubleVector.zero(LANES);
                for (int k = 0; k < depth; k++) {
                    sum = DoubleVector.fromArray(LANES, scratch.b, k * columns + n)
                            .fma(DoubleVector.broadcast(LANES, scratch.a[m * depth + k]), sum);
                }
                sum.intoArray(row, n);
            }
            int[] words = block.warps[firstWarp + m / 16].registers.words;
            for (int n = 0; n < columns; n++) {
                int i = (n >> 3) * 4 + (m >> 3 & 1) * 2 + (n & 1);
                int at = accumulators[i] * 32 + (m & 7) * 4 + (n >> 1 & 3);
                double old = operands.accumulates ? Float.intBitsToFloat(words[at]) : 0;
                words[at] = Float.floatToRawIntBits((float) (row[n] + old));
            }
        }
    }

    /// Numbers of a matrix in shared memory: element (i, k) to `i * byRow + k * byK`.
    private static void unpack(
            int[] data,
            int[] pieces,
            Element element,
            boolean mnMajor,
            int count,
            int sign,
            double[] target,
            int byRow,
            int byK) {
        int wide = count / 8;
        int inPiece = 16 / element.bytes;
        int inWord = 4 / element.bytes;
        for (int piece = 0; piece < pieces.length; piece++) {
            int word = pieces[piece] >> 2;
            for (int e = 0; e < inPiece; e++) {
                int row = mnMajor ? piece % wide * 8 + e : piece / 2;
                int k = mnMajor ? piece / wide : piece % 2 * inPiece + e;
                int bits = data[word + e / inWord] >>> 8 * element.bytes * (e % inWord);
                target[row * byRow + k * byK] = sign * element.number(bits);
            }
        }
    }

    private void unpackFragments(int[] words, int firstRow, double[] a) {
        int inWord = 4 / elementA.bytes;
        for (int r = 0; r < 4; r++) {
            for (int lane = 0; lane < 32; lane++) {
                int row = firstRow + (lane >> 2) + 8 * (r & 1);
                int k = inWord * ((lane & 3) + 4 * (r >> 1));
                int word = words[fragments[r] * 32 + lane];
                for (int e = 0; e < inWord; e++) {
                    a[row * elementA.depth() + k + e] = signA * elementA.number(word >>> 8 * elementA.bytes * e);
                }
            }
        }
    }
}
