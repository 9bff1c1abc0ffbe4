package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;
import static org.quern.kernels.cpu.Native.store;

import java.lang.foreign.MemorySegment;

/// A step with decoupled weight decay: parameter = (1 - rate * weightDecay) * parameter - rate * scale *
/// update.
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
        this.parameter = Buffers.floats(parameter, count);
        this.update = Buffers.floats(update, count);
        this.scalars = Buffers.floats(scalars, 1);
        this.scale = scale;
        this.weightDecay = weightDecay;
    }

    @Override
    void block(long offset, int count) {
        long parameter = address(this.parameter) + offset;
        long update = address(this.update) + offset;
        double rate = get(address(scalars));
        float keep = (float) (1 - rate * weightDecay);
        float step = (float) (-rate * scale);
        int i = 0;
        long at = 0;
        for (; i <= count - LANES; i += LANES, at += BYTES) {
            store(load(parameter + at).mul(keep).add(load(update + at).mul(step)), parameter + at);
        }
        for (; i < count; i++, at += Float.BYTES) {
            put(parameter + at, get(parameter + at) * keep + get(update + at) * step);
        }
    }
}
