package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;

import java.lang.foreign.MemorySegment;

/// out = factor * x.
public final class Scale extends Elementwise {
    private final MemorySegment x;
    private final MemorySegment out;
    private final float factor;

    /// @param x [count]
    /// @param out [count]; may be `x`
    public Scale(MemorySegment x, float factor, MemorySegment out, long count) {
        super(count);
        this.x = Buffers.floats(x, count);
        this.out = Buffers.floats(out, count);
        this.factor = factor;
    }

    @Override
    void block(long offset, int count) {
        Rows.scale(address(x) + offset, factor, address(out) + offset, count);
    }
}
