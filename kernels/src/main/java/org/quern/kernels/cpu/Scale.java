package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;

/// out = factor * x.
public final class Scale extends Elementwise {
    private final MemorySegment x;
    private final float factor;
    private final MemorySegment out;

    /// @param x [count]
    /// @param out [count]; may be `x`
    public Scale(MemorySegment x, float factor, MemorySegment out, long count) {
        super(count);
        this.x = Lanes.floats(x, count);
        this.factor = factor;
        this.out = Lanes.floats(out, count);
    }

    @Override
    void block(long offset, int count) {
        Lanes.scale(Lanes.address(x) + offset, factor, Lanes.address(out) + offset, count);
    }
}
