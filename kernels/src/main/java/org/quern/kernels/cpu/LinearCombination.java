package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// out = a x + b y.
public final class LinearCombination extends Elementwise {
    private final MemorySegment x;
    private final MemorySegment y;
    private final MemorySegment out;
    private final float a;
    private final float b;

    /// @param x [count]
    /// @param y [count]
    /// @param out [count]; may be `x` or `y`
    public LinearCombination(float a, MemorySegment x, float b, MemorySegment y, MemorySegment out, long count) {
        super(count);
        this.x = Lanes.floats(x, count);
        this.y = Lanes.floats(y, count);
        this.out = Lanes.floats(out, count);
        this.a = a;
        this.b = b;
    }

    @Override
    void block(long offset, int count) {
        long x = Lanes.address(this.x) + offset;
        long y = Lanes.address(this.y) + offset;
        long out = Lanes.address(this.out) + offset;
        FloatVector vectorA = Lanes.broadcast(a);
        int i = 0;
        long at = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
            Lanes.store(Lanes.load(x + at).fma(vectorA, Lanes.load(y + at).mul(b)), out + at);
        }
        if (i < count) {
            VectorMask<Float> tail = Lanes.first(count - i);
            Lanes.store(
                    Lanes.load(x + at, tail)
                            .fma(vectorA, Lanes.load(y + at, tail).mul(b)),
                    out + at,
                    tail);
        }
    }
}
