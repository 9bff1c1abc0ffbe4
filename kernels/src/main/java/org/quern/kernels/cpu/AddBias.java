package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;

import java.lang.foreign.MemorySegment;

/// out = x + bias, for each row.
public final class AddBias extends Rowwise {
    private final MemorySegment x;
    private final MemorySegment bias;
    private final MemorySegment out;
    private final int width;

    /// @param x [rows, width]
    /// @param bias [width]
    /// @param out [rows, width]; may be `x`
    public AddBias(MemorySegment x, MemorySegment bias, MemorySegment out, int rows, int width) {
        super(rows, width);
        this.x = Buffers.floats(x, (long) rows * width);
        this.bias = Buffers.floats(bias, width);
        this.out = Buffers.floats(out, (long) rows * width);
        this.width = width;
    }

    @Override
    void rows(int from, int to) {
        long rowBytes = (long) width * Float.BYTES;
        for (int row = from; row < to; row++) {
            Rows.add(address(x) + row * rowBytes, address(bias), address(out) + row * rowBytes, width);
        }
    }
}
