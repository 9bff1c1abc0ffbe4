package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;
import static org.quern.kernels.cpu.Native.store;

import java.lang.foreign.MemorySegment;

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
        this.x = Buffers.floats(x, count);
        this.y = Buffers.floats(y, count);
        this.out = Buffers.floats(out, count);
        this.a = a;
        this.b = b;
    }

    @Override
    void block(long offset, int count) {
        long x = address(this.x) + offset;
        long y = address(this.y) + offset;
        long out = address(this.out) + offset;
        int i = 0;
        long at = 0;
        for (; i <= count - LANES; i += LANES, at += BYTES) {
            store(load(x + at).mul(a).add(load(y + at).mul(b)), out + at);
        }
        for (; i < count; i++, at += Float.BYTES) {
            put(out + at, get(x + at) * a + get(y + at) * b);
        }
    }
}
