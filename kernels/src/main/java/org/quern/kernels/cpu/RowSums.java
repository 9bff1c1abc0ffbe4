package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;

import java.lang.foreign.MemorySegment;

/// Sums over the rows of a matrix in a fixed order: each block of rows into a partial row, then the partial
/// rows.
///
/// For kernels of two phases: in the first, task `b` adds the rows `from(b)` to `from(b + 1)` onto
/// [#partial]; in the second, [#combine] adds the partial rows of a slice of columns.
final class RowSums {
    private static final int SLICE = 256;

    private final int rows;
    private final int width;
    private final int blocks;
    private final MemorySegment partials;

    /// @param partials [#bytes] bytes
    RowSums(int rows, int width, MemorySegment partials) {
        this.rows = rows;
        this.width = width;
        this.blocks = blocks(rows);
        this.partials = Buffers.bytes(partials, bytes(rows, width));
    }

    static long bytes(int rows, int width) {
        return (long) blocks(rows) * width * Float.BYTES;
    }

    private static int blocks(int rows) {
        return Math.clamp(rows / 8, 1, 64);
    }

    int blocks() {
        return blocks;
    }

    int slices() {
        return Math.ceilDiv(width, SLICE);
    }

    /// The first row of a block.
    int from(int block) {
        return (int) ((long) rows * block / blocks);
    }

    /// The address of the partial row of a block.
    long partial(int block) {
        return address(partials) + (long) block * width * Float.BYTES;
    }

    /// Sets (or adds to) the columns of a slice of `out`.
    void combine(int slice, MemorySegment out, boolean accumulate) {
        int from = slice * SLICE;
        int count = Math.min(SLICE, width - from);
        long sum = partial(0) + (long) from * Float.BYTES;
        for (int block = 1; block < blocks; block++) {
            Rows.add(sum, partial(block) + (long) from * Float.BYTES, sum, count);
        }
        long to = address(out) + (long) from * Float.BYTES;
        if (accumulate) {
            Rows.add(to, sum, to, count);
        } else {
            Rows.copy(sum, to, count);
        }
    }
}
