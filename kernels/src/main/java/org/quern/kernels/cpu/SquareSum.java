package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.MEMORY;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The sum of the squares of a tensor in a fixed order: short runs in fp32, the rest in double.
///
/// For kernels of two phases: in the first, task `b` calls [#block]; in the second, [#total] is known.
final class SquareSum {
    /// Floats in a block.
    static final int BLOCK = 1 << 16;
    private static final int RUN = 1 << 10;

    private final MemorySegment x;
    private final MemorySegment partials;
    private final long count;

    /// @param x [count]
    /// @param partials [#bytes] bytes
    SquareSum(MemorySegment x, MemorySegment partials, long count) {
        this.x = Buffers.floats(x, count);
        this.partials = Buffers.bytes(partials, bytes(count));
        this.count = count;
    }

    static long bytes(long count) {
        return Math.ceilDiv(count, BLOCK) * Double.BYTES;
    }

    int blocks() {
        return Math.toIntExact(Math.ceilDiv(count, BLOCK));
    }

    /// Adds up a block.
    void block(int block) {
        long from = (long) block * BLOCK;
        int size = (int) Math.min(BLOCK, count - from);
        long x = address(this.x) + from * Float.BYTES;
        double sum = 0;
        for (int i = 0; i < size; i += RUN) {
            long run = x + (long) i * Float.BYTES;
            sum += Rows.dot(run, run, Math.min(RUN, size - i));
        }
        MEMORY.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, address(partials) + (long) block * Double.BYTES, sum);
    }

    /// The sum of all blocks.
    double total() {
        long partials = address(this.partials);
        double sum = 0;
        for (int block = 0; block < blocks(); block++) {
            sum += MEMORY.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, partials + (long) block * Double.BYTES);
        }
        return sum;
    }
}
