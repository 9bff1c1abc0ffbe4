package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;

import java.lang.foreign.MemorySegment;

/// out = value.
public final class Fill extends Elementwise {
    private final MemorySegment out;
    private final float value;

    /// @param out [count]
    public Fill(float value, MemorySegment out, long count) {
        super(count);
        this.out = Buffers.floats(out, count);
        this.value = value;
    }

    @Override
    void block(long offset, int count) {
        Rows.fill(address(out) + offset, value, count);
    }
}
