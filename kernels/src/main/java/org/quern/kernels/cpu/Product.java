package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;
import static org.quern.kernels.cpu.Native.store;

import java.lang.foreign.Arena;

/// The operands of a matrix product by address: C = op(A) op(B) + bias, or C += op(A) op(B).
///
/// @param bias 0 if there is none
record Product(
        long a,
        long b,
        long c,
        long bias,
        int m,
        int n,
        int k,
        boolean transposeA,
        boolean transposeB,
        boolean accumulate) {

    /// As many zeros as the widest tile has columns.
    private static final long ZEROS =
            Arena.global().allocate(8L * LANES * Float.BYTES).address();

    /// Bytes from one row of C to the next.
    long rowBytes() {
        return (long) n * Float.BYTES;
    }

    /// Packs rows of op(A) from `row` on, over `depth` steps from `step` on, into a panel.
    void packA(int row, int step, int depth, long panel, int width, long scratch) {
        if (transposeA) {
            Panel.copy(a + ((long) step * m + row) * Float.BYTES, m, m - row, depth, panel, width);
        } else {
            Panel.transpose(a + ((long) row * k + step) * Float.BYTES, k, m - row, depth, panel, width, scratch);
        }
    }

    /// Packs columns of op(B) from `column` on, over `depth` steps from `step` on, into a panel.
    void packB(int column, int step, int depth, long panel, int width, long scratch) {
        if (transposeB) {
            Panel.transpose(b + ((long) column * k + step) * Float.BYTES, k, n - column, depth, panel, width, scratch);
        } else {
            Panel.copy(b + ((long) step * n + column) * Float.BYTES, n, n - column, depth, panel, width);
        }
    }

    /// Adds a tile of partial sums to C.
    ///
    /// @param sums address of the tile, whose rows are `width` numbers, whole vectors, apart
    /// @param first whether these are the first sums that C receives
    void add(long sums, int width, int row, int rows, int column, int columns, boolean first) {
        long stride = rowBytes();
        long tile = c + row * stride + column * 4L;
        boolean fresh = first && !accumulate;
        long other = !fresh ? tile : bias == 0 ? ZEROS : bias + column * 4L;
        long otherStride = fresh ? 0 : stride;
        for (int i = 0; i < rows; i++) {
            int j = 0;
            for (; j <= columns - LANES; j += LANES) {
                long at = j * 4L;
                store(load(other + i * otherStride + at).add(load(sums + i * width * 4L + at)), tile + i * stride + at);
            }
            for (; j < columns; j++) {
                long at = j * 4L;
                put(tile + i * stride + at, get(other + i * otherStride + at) + get(sums + i * width * 4L + at));
            }
        }
    }
}
