package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// out = value.
public final class Fill extends Elementwise {
    private final float value;
    private final MemorySegment out;

    /// @param out [count]
    public Fill(float value, MemorySegment out, long count) {
        super(count);
        this.value = value;
        this.out = Lanes.floats(out, count);
    }

    @Override
    void block(long offset, int count) {
        long out = Lanes.address(this.out) + offset;
        FloatVector values = Lanes.broadcast(value);
        int i = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT, out += Lanes.BYTES) {
            Lanes.store(values, out);
        }
        if (i < count) {
            Lanes.store(values, out, Lanes.first(count - i));
        }
    }
}
