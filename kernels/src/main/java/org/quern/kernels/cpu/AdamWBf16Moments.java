package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.getInt;
import static org.quern.kernels.cpu.Native.put;

import java.lang.foreign.MemorySegment;

/// A step of AdamW as in [AdamW], with moments that are kept as bf16, rounded stochastically (see
/// [StochasticRounding]) after the parameter has taken its step by the exact ones.
public final class AdamWBf16Moments extends Elementwise {
    private static final int GROUP = 4;

    private final MemorySegment parameter;
    private final MemorySegment gradient;
    private final MemorySegment moment1;
    private final MemorySegment moment2;
    private final MemorySegment clip;
    private final MemorySegment scalars;
    private final MemorySegment stepNumber;
    private final AdamW.Settings settings;
    private final long seed;
    private final int tensor;

    /// @param parameter [count]; changed
    /// @param gradient [count]
    /// @param moment1 bf16 [count]; changed
    /// @param moment2 bf16 [count]; changed
    /// @param clip [2], read when run: norm, factor, see [ClipFactor]
    /// @param scalars [3], read when run: learning rate, correction1 = 1 - beta1^step, correction2 = 1 -
    ///     beta2^step
    /// @param stepNumber int32 [1], read when run
    /// @param seed of the random numbers
    /// @param tensor number of the parameter in the run
    public AdamWBf16Moments(
            MemorySegment parameter,
            MemorySegment gradient,
            MemorySegment moment1,
            MemorySegment moment2,
            MemorySegment clip,
            MemorySegment scalars,
            MemorySegment stepNumber,
            long count,
            AdamW.Settings settings,
            long seed,
            int tensor) {
        super(count);
        this.parameter = Buffers.floats(parameter, count);
        this.gradient = Buffers.floats(gradient, count);
        this.moment1 = Buffers.bytes(moment1, count * Short.BYTES);
        this.moment2 = Buffers.bytes(moment2, count * Short.BYTES);
        this.clip = Buffers.floats(clip, 2);
        this.scalars = Buffers.floats(scalars, 3);
        this.stepNumber = Buffers.ints(stepNumber, 1);
        this.settings = settings;
        this.seed = seed;
        this.tensor = tensor;
    }

    @Override
    void block(long offset, int count) {
        long parameter = address(this.parameter) + offset;
        long gradient = address(this.gradient) + offset;
        long moment1 = address(this.moment1) + offset / 2;
        long moment2 = address(this.moment2) + offset / 2;
        float factor = get(address(clip) + 4);
        double rate = get(address(scalars));
        float keep = (float) (1 - rate * settings.weightDecay());
        float step = (float) (-rate / get(address(scalars) + 4));
        float root = (float) Math.sqrt(get(address(scalars) + 8));
        float share1 = (float) (1 - settings.beta1());
        float share2 = (float) (1 - settings.beta2());
        float keep2 = (float) settings.beta2();
        float small = (float) settings.eps();
        int number = getInt(address(stepNumber));
        int stream = 4 * tensor;
        long firstGroup = offset / Float.BYTES / GROUP;
        for (int i = 0; i < count; i += GROUP) {
            int size = Math.min(GROUP, count - i);
            for (int j = i; j < i + size; j++) {
                long at = (long) j * Float.BYTES;
                float m = first(gradient, moment1, j, factor, share1);
                float v = second(gradient, moment2, j, factor, keep2, share2);
                float change = m / ((float) Math.sqrt(v) / root + small) * step;
                put(parameter + at, get(parameter + at) * keep + change);
            }
            // Computed once more: cheaper than to keep them somewhere.
            int b = Math.min(i + 1, count - 1);
            int c = Math.min(i + 2, count - 1);
            int d = Math.min(i + 3, count - 1);
            long group = firstGroup + i / GROUP;
            StochasticRounding.store(
                    moment1 + (long) i * Short.BYTES,
                    size,
                    group,
                    seed,
                    number,
                    stream + 1,
                    first(gradient, moment1, i, factor, share1),
                    first(gradient, moment1, b, factor, share1),
                    first(gradient, moment1, c, factor, share1),
                    first(gradient, moment1, d, factor, share1));
            StochasticRounding.store(
                    moment2 + (long) i * Short.BYTES,
                    size,
                    group,
                    seed,
                    number,
                    stream + 2,
                    second(gradient, moment2, i, factor, keep2, share2),
                    second(gradient, moment2, b, factor, keep2, share2),
                    second(gradient, moment2, c, factor, keep2, share2),
                    second(gradient, moment2, d, factor, keep2, share2));
        }
    }

    private static float first(long gradient, long moment1, int i, float factor, float share1) {
        float g = get(gradient + (long) i * Float.BYTES) * factor;
        float m = StochasticRounding.load(moment1 + (long) i * Short.BYTES);
        return (g - m) * share1 + m;
    }

    private static float second(long gradient, long moment2, int i, float factor, float keep2, float share2) {
        float g = get(gradient + (long) i * Float.BYTES) * factor;
        return StochasticRounding.load(moment2 + (long) i * Short.BYTES) * keep2 + g * g * share2;
    }
}
