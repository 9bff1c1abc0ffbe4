package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.put;

import java.lang.foreign.MemorySegment;

/// out = the sum of x^2.
public final class SumOfSquares implements Kernel {
    private final SquareSum squares;
    private final MemorySegment out;

    /// @param x [count]
    /// @param out [1]
    /// @param workspace [#workspaceBytes] bytes
    public SumOfSquares(MemorySegment x, MemorySegment out, MemorySegment workspace, long count) {
        this.squares = new SquareSum(x, workspace, count);
        this.out = Buffers.floats(out, 1);
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
        return phase == 0 ? squares.blocks() : 1;
    }

    @Override
    public void run(int phase, int task) {
        if (phase == 0) {
            squares.block(task);
        } else {
            put(address(out), (float) squares.total());
        }
    }
}
