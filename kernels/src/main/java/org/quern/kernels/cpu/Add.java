package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.VectorMask;

/// out = x + y.
public final class Add extends Elementwise {
    private final MemorySegment x;
    private final MemorySegment y;
    private final MemorySegment out;

    /// @param x [count]
    /// @param y [count]
    /// @param out [count]; may be `x` or `y`
    public Add(MemorySegment x, MemorySegment y, MemorySegment out, long count) {
        super(count);
        this.x = Lanes.floats(x, count);
        this.y = Lanes.floats(y, count);
        this.out = Lanes.floats(out, count);
    }

    @Override
    void block(long offset, int count) {
        long x = Lanes.address(this.x) + offset;
        long y = Lanes.address(this.y) + offset;
        long out = Lanes.address(this.out) + offset;
        int i = 0;
        long at = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
            Lanes.store(Lanes.load(x + at).add(Lanes.load(y + at)), out + at);
        }
        if (i < count) {
            VectorMask<Float> tail = Lanes.first(count - i);
            Lanes.store(Lanes.load(x + at, tail).add(Lanes.load(y + at, tail)), out + at, tail);
        }
    }
}
