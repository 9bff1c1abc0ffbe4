package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.VectorMask;

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
        this.x = Lanes.floats(x, (long) rows * width);
        this.bias = Lanes.floats(bias, width);
        this.out = Lanes.floats(out, (long) rows * width);
        this.width = width;
    }

    @Override
    void rows(int from, int to) {
        long bias = Lanes.address(this.bias);
        long rowBytes = (long) width * Float.BYTES;
        for (int row = from; row < to; row++) {
            row(Lanes.address(x) + row * rowBytes, bias, Lanes.address(out) + row * rowBytes);
        }
    }

    private void row(long x, long bias, long out) {
        int i = 0;
        long at = 0;
        for (; i <= width - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
            Lanes.store(Lanes.load(x + at).add(Lanes.load(bias + at)), out + at);
        }
        if (i < width) {
            VectorMask<Float> tail = Lanes.first(width - i);
            Lanes.store(Lanes.load(x + at, tail).add(Lanes.load(bias + at, tail)), out + at, tail);
        }
    }
}
