package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;
import static org.quern.kernels.cpu.Native.store;

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
        long start = bias + column * 4L;
        for (int i = 0; i < rows; i++) {
            long to = tile + i * stride;
            long from = sums + i * width * 4L;
            if (fresh && bias == 0) {
                int j = 0;
                for (; j <= columns - LANES; j += LANES) {
                    store(load(from + j * 4L), to + j * 4L);
                }
                for (; j < columns; j++) {
                    put(to + j * 4L, get(from + j * 4L));
                }
            } else {
                long other = fresh ? start : to;
                int j = 0;
                for (; j <= columns - LANES; j += LANES) {
                    store(load(other + j * 4L).add(load(from + j * 4L)), to + j * 4L);
                }
                for (; j < columns; j++) {
                    put(to + j * 4L, get(other + j * 4L) + get(from + j * 4L));
                }
            }
        }
    }
}
