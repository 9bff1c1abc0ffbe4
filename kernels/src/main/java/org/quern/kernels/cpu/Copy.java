package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;

import java.lang.foreign.MemorySegment;

/// out = x.
public final class Copy extends Elementwise {
    private final MemorySegment x;
    private final MemorySegment out;

    /// @param x [count]
    /// @param out [count]
    public Copy(MemorySegment x, MemorySegment out, long count) {
        super(count);
        this.x = Buffers.floats(x, count);
        this.out = Buffers.floats(out, count);
    }

    @Override
    void block(long offset, int count) {
        Rows.copy(address(x) + offset, address(out) + offset, count);
    }
}
