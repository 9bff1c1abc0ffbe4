package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;

import java.lang.foreign.MemorySegment;

/// out (+)= the sum of the rows of x: the gradient of a bias.
public final class ColumnSum implements Kernel {
    private final MemorySegment x;
    private final MemorySegment out;
    private final boolean accumulate;
    private final int width;
    private final RowSums sums;

    /// @param x [rows, width]
    /// @param out [width]
    /// @param workspace [#workspaceBytes] bytes
    public ColumnSum(
            MemorySegment x, MemorySegment out, boolean accumulate, MemorySegment workspace, int rows, int width) {
        this.x = Buffers.floats(x, (long) rows * width);
        this.out = Buffers.floats(out, width);
        this.accumulate = accumulate;
        this.width = width;
        this.sums = new RowSums(rows, width, workspace);
    }

    /// The scratch that the kernel needs.
    public static long workspaceBytes(int rows, int width) {
        return RowSums.bytes(rows, width);
    }

    @Override
    public int phases() {
        return 2;
    }

    @Override
    public int tasks(int phase) {
        return phase == 0 ? sums.blocks() : sums.slices();
    }

    @Override
    public void run(int phase, int task) {
        if (phase == 1) {
            sums.combine(task, out, accumulate);
            return;
        }
        long partial = sums.partial(task);
        Rows.fill(partial, 0, width);
        for (int row = sums.from(task); row < sums.from(task + 1); row++) {
            Rows.add(address(x) + (long) row * width * Float.BYTES, partial, partial, width);
        }
    }
}
