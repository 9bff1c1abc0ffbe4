package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;
import static org.quern.kernels.cpu.Native.store;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// A step of AdamW (Loshchilov and Hutter, 2019), as `torch.optim.AdamW` does it.
///
/// With g = gradient * factor: parameter *= 1 - rate * weightDecay; moment1 += (1 - beta1) * (g - moment1);
/// moment2 = beta2 * moment2 + (1 - beta2) * g^2; parameter -= rate / correction1 * moment1 / (sqrt(moment2) /
/// sqrt(correction2) + eps).
public final class AdamW extends Elementwise {
    /// What does not change from step to step.
    public record Settings(double beta1, double beta2, double eps, double weightDecay) {}

    private final MemorySegment parameter;
    private final MemorySegment gradient;
    private final MemorySegment moment1;
    private final MemorySegment moment2;
    private final MemorySegment clip;
    private final MemorySegment scalars;
    private final Settings settings;

    /// @param parameter [count]; changed
    /// @param gradient [count]
    /// @param moment1 [count]; changed
    /// @param moment2 [count]; changed
    /// @param clip [2], read when run: norm, factor, see [ClipFactor]
    /// @param scalars [3], read when run: learning rate, correction1 = 1 - beta1^step, correction2 = 1 -
    /// beta2^step
    public AdamW(
            MemorySegment parameter,
            MemorySegment gradient,
            MemorySegment moment1,
            MemorySegment moment2,
            MemorySegment clip,
            MemorySegment scalars,
            long count,
            Settings settings) {
        super(count);
        this.parameter = Buffers.floats(parameter, count);
        this.gradient = Buffers.floats(gradient, count);
        this.moment1 = Buffers.floats(moment1, count);
        this.moment2 = Buffers.floats(moment2, count);
        this.clip = Buffers.floats(clip, 2);
        this.scalars = Buffers.floats(scalars, 3);
        this.settings = settings;
    }

    @Override
    void block(long offset, int count) {
        long parameter = address(this.parameter) + offset;
        long gradient = address(this.gradient) + offset;
        long moment1 = address(this.moment1) + offset;
        long moment2 = address(this.moment2) + offset;
        float factor = get(address(clip) + 4);
        double rate = get(address(scalars));
        float keep = (float) (1 - rate * settings.weightDecay());
        float step = (float) (-rate / get(address(scalars) + 4));
        float root = (float) Math.sqrt(get(address(scalars) + 8));
        float share1 = (float) (1 - settings.beta1());
        float share2 = (float) (1 - settings.beta2());
        float keep2 = (float) settings.beta2();
        float small = (float) settings.eps();
        int i = 0;
        long at = 0;
        for (; i <= count - LANES; i += LANES, at += BYTES) {
            FloatVector g = load(gradient + at).mul(factor);
            FloatVector m = load(moment1 + at);
            m = g.sub(m).mul(share1).add(m);
            FloatVector v = load(moment2 + at).mul(keep2).add(g.mul(g).mul(share2));
            FloatVector change = m.div(v.sqrt().div(root).add(small)).mul(step);
            store(m, moment1 + at);
            store(v, moment2 + at);
            store(load(parameter + at).mul(keep).add(change), parameter + at);
        }
        for (; i < count; i++, at += Float.BYTES) {
            float g = get(gradient + at) * factor;
            float m = get(moment1 + at);
            m = (g - m) * share1 + m;
            float v = get(moment2 + at) * keep2 + g * g * share2;
            float change = m / ((float) Math.sqrt(v) / root + small) * step;
            put(moment1 + at, m);
            put(moment2 + at, v);
            put(parameter + at, get(parameter + at) * keep + change);
        }
    }
}
