package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// A step of AdamW (Loshchilov and Hutter, 2019), as `torch.optim.AdamW` does it.
///
/// With g = gradient * factor: parameter *= 1 - rate * weightDecay; moment1 += (1 - beta1) * (g - moment1); moment2 =
/// beta2 * moment2 + (1 - beta2) * g^2; parameter -= rate / correction1 * moment1 / (sqrt(moment2) / sqrt(correction2)
/// +
/// eps).
public final class AdamW extends Elementwise {
    private final MemorySegment parameter;
    private final MemorySegment gradient;
    private final MemorySegment moment1;
    private final MemorySegment moment2;
    private final MemorySegment clip;
    private final MemorySegment scalars;
    private final double beta1;
    private final double beta2;
    private final double eps;
    private final double weightDecay;

    /// @param parameter [count]; changed
    /// @param gradient [count]
    /// @param moment1 [count]; changed
    /// @param moment2 [count]; changed
    /// @param clip [2], read when run: norm, factor, see [ClipFactor]
    /// @param scalars [3], read when run: learning rate, correction1 = 1 - beta1^step, correction2 = 1 - beta2^step
    public AdamW(
            MemorySegment parameter,
            MemorySegment gradient,
            MemorySegment moment1,
            MemorySegment moment2,
            MemorySegment clip,
            MemorySegment scalars,
            long count,
            double beta1,
            double beta2,
            double eps,
            double weightDecay) {
        super(count);
        this.parameter = Lanes.floats(parameter, count);
        this.gradient = Lanes.floats(gradient, count);
        this.moment1 = Lanes.floats(moment1, count);
        this.moment2 = Lanes.floats(moment2, count);
        this.clip = Lanes.floats(clip, 2);
        this.scalars = Lanes.floats(scalars, 3);
        this.beta1 = beta1;
        this.beta2 = beta2;
        this.eps = eps;
        this.weightDecay = weightDecay;
    }

    @Override
    void block(long offset, int count) {
        long p = Lanes.address(parameter) + offset;
        long g = Lanes.address(gradient) + offset;
        long m = Lanes.address(moment1) + offset;
        long v = Lanes.address(moment2) + offset;
        float factor = Lanes.get(Lanes.address(clip) + 4);
        double rate = Lanes.get(Lanes.address(scalars));
        float keep = (float) (1 - rate * weightDecay);
        float step = (float) (-rate / Lanes.get(Lanes.address(scalars) + 4));
        float root = (float) Math.sqrt(Lanes.get(Lanes.address(scalars) + 8));
        int i = 0;
        long at = 0;
        for (; i <= count - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
            FloatVector grad = Lanes.load(g + at).mul(factor);
            FloatVector first = first(Lanes.load(m + at), grad);
            FloatVector second = second(Lanes.load(v + at), grad);
            Lanes.store(first, m + at);
            Lanes.store(second, v + at);
            Lanes.store(next(Lanes.load(p + at).mul(keep), first, second, root, step), p + at);
        }
        if (i < count) {
            VectorMask<Float> tail = Lanes.first(count - i);
            FloatVector grad = Lanes.load(g + at, tail).mul(factor);
            FloatVector first = first(Lanes.load(m + at, tail), grad);
            FloatVector second = second(Lanes.load(v + at, tail), grad);
            Lanes.store(first, m + at, tail);
            Lanes.store(second, v + at, tail);
            Lanes.store(next(Lanes.load(p + at, tail).mul(keep), first, second, root, step), p + at, tail);
        }
    }

    private FloatVector first(FloatVector moment, FloatVector gradient) {
        return gradient.sub(moment).fma(Lanes.broadcast((float) (1 - beta1)), moment);
    }

    private FloatVector second(FloatVector moment, FloatVector gradient) {
        return gradient.mul(gradient).fma(Lanes.broadcast((float) (1 - beta2)), moment.mul((float) beta2));
    }

    private FloatVector next(FloatVector parameter, FloatVector first, FloatVector second, float root, float step) {
        FloatVector denominator = second.sqrt().div(root).add((float) eps);
        return first.div(denominator).fma(Lanes.broadcast(step), parameter);
    }
}
