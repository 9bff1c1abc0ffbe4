package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;

/// out = x.
public final class Copy extends Elementwise {
    private final MemorySegment x;
    private final MemorySegment out;

    /// @param x [count]
    /// @param out [count]
    public Copy(MemorySegment x, MemorySegment out, long count) {
        super(count);
        this.x = Lanes.floats(x, count);
        this.out = Lanes.floats(out, count);
    }

    @Override
    void block(long offset, int count) {
        Lanes.copy(Lanes.address(x) + offset, Lanes.address(out) + offset, count);
    }
}
