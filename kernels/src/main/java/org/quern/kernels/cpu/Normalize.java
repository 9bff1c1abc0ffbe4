package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;

import java.lang.foreign.MemorySegment;

/// out = x / (the Frobenius norm of x + eps).
public final class Normalize implements Kernel {
    private final MemorySegment x;
    private final MemorySegment out;
    private final SquareSum squares;
    private final long count;
    private final double eps;

    /// @param x [count]
    /// @param out [count]; may be `x`
    /// @param workspace [#workspaceBytes] bytes
    public Normalize(MemorySegment x, MemorySegment out, MemorySegment workspace, long count, double eps) {
        this.x = Buffers.floats(x, count);
        this.out = Buffers.floats(out, count);
        this.squares = new SquareSum(x, workspace, count);
        this.count = count;
        this.eps = eps;
    }

    /// The scratch that the kernel needs.
    public static long workspaceBytes(long count) {
        return SquareSum.bytes(count);
    }

    @Override
    public int phases() {
        return 2;
    }

    @Override
    public int tasks(int phase) {
        return squares.blocks();
    }

    @Override
    public void run(int phase, int task) {
        if (phase == 0) {
            squares.block(task);
        } else {
            long from = (long) task * SquareSum.BLOCK;
            int size = (int) Math.min(SquareSum.BLOCK, count - from);
            float factor = (float) (1 / (Math.sqrt(squares.total()) + eps));
            long offset = from * Float.BYTES;
            Rows.scale(address(x) + offset, factor, address(out) + offset, size);
        }
    }
}
