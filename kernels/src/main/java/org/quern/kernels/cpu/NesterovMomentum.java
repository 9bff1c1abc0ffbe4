package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// Muon's momentum with Nesterov's look-ahead (Jordan et al., 2024), as `torch.optim.Muon` does it.
///
/// With g = gradient * factor: buffer += (1 - momentum) * (g - buffer); update = g + momentum * (buffer - g).
public final class NesterovMomentum extends Elementwise {
    private final MemorySegment gradient;
    private final MemorySegment buffer;
    private final MemorySegment clip;
    private final MemorySegment update;
    private final double momentum;

    /// @param gradient [count]
    /// @param buffer [count]; changed
    /// @param clip [2], read when run: norm, factor, see [ClipFactor]
    /// @param update [count]; may be `gradient`
    public NesterovMomentum(
            MemorySegment gradient,
            MemorySegment buffer,
            MemorySegment clip,
            MemorySegment update,
            long count,
            double momentum) {
        super(count);
        this.gradient = Lanes.floats(gradient, count);
        this.buffer = Lanes.floats(buffer, count);
        this.clip = Lanes.floats(clip, 2);
        this.update = Lanes.floats(update, count);
        this.momentum = momentum;
    }

    @Override
    void block(long offset, int count) {
        long gradient = Lanes.address(this.gradient) + offset;
        long buffer = Lanes.address(this.buffer) + offset;
        long update = Lanes.address(this.update) + offset;
        float factor = Lanes.get(Lanes.address(clip) + 4);
        int i = 0;
        long at = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
            FloatVector g = Lanes.load(gradient + at).mul(factor);
            FloatVector average = towards(Lanes.load(buffer + at), g, 1 - momentum);
            Lanes.store(average, buffer + at);
            Lanes.store(towards(g, average, momentum), update + at);
        }
        if (i < count) {
            VectorMask<Float> tail = Lanes.first(count - i);
            FloatVector g = Lanes.load(gradient + at, tail).mul(factor);
            FloatVector average = towards(Lanes.load(buffer + at, tail), g, 1 - momentum);
            Lanes.store(average, buffer + at, tail);
            Lanes.store(towards(g, average, momentum), update + at, tail);
        }
    }

    /// from + share * (to - from).
    private static FloatVector towards(FloatVector from, FloatVector to, double share) {
        return to.sub(from).fma(Lanes.broadcast((float) share), from);
    }
}
