package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// A step with decoupled weight decay: parameter = (1 - rate * weightDecay) * parameter - rate * scale * update.
public final class ApplyUpdate extends Elementwise {
    private final MemorySegment parameter;
    private final MemorySegment update;
    private final MemorySegment scalars;
    private final double scale;
    private final double weightDecay;

    /// @param parameter [count]; changed
    /// @param update [count]
    /// @param scalars [1] or more, read when run: learning rate first
    public ApplyUpdate(
            MemorySegment parameter,
            MemorySegment update,
            MemorySegment scalars,
            long count,
            double scale,
            double weightDecay) {
        super(count);
        this.parameter = Lanes.floats(parameter, count);
        this.update = Lanes.floats(update, count);
        this.scalars = Lanes.floats(scalars, 1);
        this.scale = scale;
        this.weightDecay = weightDecay;
    }

    @Override
    void block(long offset, int count) {
        long p = Lanes.address(parameter) + offset;
        long u = Lanes.address(update) + offset;
        double rate = Lanes.get(Lanes.address(scalars));
        float keep = (float) (1 - rate * weightDecay);
        FloatVector step = Lanes.broadcast((float) (-rate * scale));
        int i = 0;
        long at = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
            Lanes.store(Lanes.load(u + at).fma(step, Lanes.load(p + at).mul(keep)), p + at);
        }
        if (i < count) {
            VectorMask<Float> tail = Lanes.first(count - i);
            Lanes.store(
                    Lanes.load(u + at, tail).fma(step, Lanes.load(p + at, tail).mul(keep)), p + at, tail);
        }
    }
}
