package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;

import java.lang.foreign.MemorySegment;

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
        this.x = Buffers.floats(x, count);
        this.y = Buffers.floats(y, count);
        this.out = Buffers.floats(out, count);
    }

    @Override
    void block(long offset, int count) {
        Rows.add(address(x) + offset, address(y) + offset, address(out) + offset, count);
    }
}
