package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.MEMORY;
import static org.quern.kernels.cpu.Native.ORDER;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;
import static org.quern.kernels.cpu.Native.store;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/// Packs panels: `width` columns of a matrix, step by step over its depth, so that the numbers of a step lie side by
/// side. What hangs over the edge of the matrix is zero.
final class Panel {
    /// Floats behind a panel that packing it may overwrite.
    static final int OVERRUN = LANES;

    /// Bytes of scratch memory that `transpose` needs.
    static final long SCRATCH_BYTES = 2L * LANES * LANES * Float.BYTES;

    private static final VectorSpecies<Integer> BITS = VectorSpecies.of(int.class, Native.SPECIES.vectorShape());
    private static final IntVector ZIP_LOW = zip(0);
    private static final IntVector ZIP_HIGH = zip(LANES / 2);
    private static final long VECTOR_BYTES = LANES * 4L;

    private Panel() {}

    /// Packs columns that lie side by side: number `i` of step `p` is at `source[p * stride + i]`.
    ///
    /// @param columns how many columns the matrix has from here on, which may be more than `width`
    static void copy(long source, int stride, int columns, int depth, long target, int width) {
        long rowBytes = (long) stride * Float.BYTES;
        long stepBytes = (long) width * Float.BYTES;
        if (width == 2 * LANES && columns >= width) {
            for (int p = 0; p < depth; p++) {
                long from = source + p * rowBytes;
                long to = target + p * stepBytes;
                store(load(from), to);
                store(load(from + VECTOR_BYTES), to + VECTOR_BYTES);
            }
            return;
        }
        // From right to left, for a vector overwrites what hangs over from the one to its right.
        for (int i = (width - 1) / LANES * LANES; i >= 0; i -= LANES) {
            long from = source + i * 4L;
            long to = target + i * 4L;
            if (i + LANES <= columns) {
                for (int p = 0; p < depth; p++) {
                    store(load(from + p * rowBytes), to + p * stepBytes);
                }
            } else {
                copyNumbers(from, 4, rowBytes, columns - i, depth, to, Math.min(LANES, width - i), stepBytes);
            }
        }
    }

    /// Packs columns each of which lies in one piece: number `i` of step `p` is at `source[i * stride + p]`.
    ///
    /// @param columns how many columns the matrix has from here on, which may be more than `width`
    /// @param scratch address of `SCRATCH_BYTES`, aligned like a vector
    static void transpose(long source, int stride, int columns, int depth, long target, int width, long scratch) {
        long columnBytes = (long) stride * Float.BYTES;
        long stepBytes = (long) width * Float.BYTES;
        int squares = depth / LANES * LANES;
        for (int i = (width - 1) / LANES * LANES; i >= 0; i -= LANES) {
            long from = source + i * columnBytes;
            long to = target + i * 4L;
            int done = i + LANES <= columns ? squares : 0;
            transposeSquares(from, columnBytes, done, to, stepBytes, scratch);
            copyNumbers(
                    from + done * 4L,
                    columnBytes,
                    4,
                    columns - i,
                    depth - done,
                    to + done * stepBytes,
                    Math.min(LANES, width - i),
                    stepBytes);
        }
    }

    private static void copyNumbers(
            long source,
            long columnBytes,
            long rowBytes,
            int columns,
            int depth,
            long target,
            int width,
            long stepBytes) {
        for (int p = 0; p < depth; p++) {
            for (int i = 0; i < width; i++) {
                put(target + p * stepBytes + i * 4L, i < columns ? get(source + i * columnBytes + p * rowBytes) : 0);
            }
        }
    }

    /// Transposes squares of `LANES` vectors by perfect shuffles: each of log2(`LANES`) passes zips the first half of
    /// the vectors with the second half.
    private static void transposeSquares(
            long source, long columnBytes, int depth, long target, long stepBytes, long scratch) {
        long other = scratch + SCRATCH_BYTES / 2;
        for (int p = 0; p < depth; p += LANES) {
            long from = source + p * 4L;
            long to = target + p * stepBytes;
            zipAll(from, columnBytes, scratch, VECTOR_BYTES);
            if (LANES == 4) {
                zipAll(scratch, VECTOR_BYTES, to, stepBytes);
            } else if (LANES == 8) {
                zipAll(scratch, VECTOR_BYTES, other, VECTOR_BYTES);
                zipAll(other, VECTOR_BYTES, to, stepBytes);
            } else {
                zipAll(scratch, VECTOR_BYTES, other, VECTOR_BYTES);
                zipAll(other, VECTOR_BYTES, scratch, VECTOR_BYTES);
                zipAll(scratch, VECTOR_BYTES, to, stepBytes);
            }
        }
    }

    private static void zipAll(long source, long sourceStride, long target, long targetStride) {
        for (int i = 0; i < LANES / 2; i++) {
            IntVector x = IntVector.fromMemorySegment(BITS, MEMORY, source + i * sourceStride, ORDER);
            IntVector y = IntVector.fromMemorySegment(BITS, MEMORY, source + (i + LANES / 2) * sourceStride, ORDER);
            ZIP_LOW.selectFrom(x, y).intoMemorySegment(MEMORY, target + 2 * i * targetStride, ORDER);
            ZIP_HIGH.selectFrom(x, y).intoMemorySegment(MEMORY, target + (2 * i + 1) * targetStride, ORDER);
        }
    }

    private static IntVector zip(int first) {
        int[] lanes = new int[LANES];
        for (int i = 0; i < LANES; i++) {
            lanes[i] = first + i / 2 + i % 2 * LANES;
        }
        return IntVector.fromArray(BITS, lanes, 0);
    }
}
