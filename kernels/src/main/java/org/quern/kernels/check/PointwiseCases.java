package org.quern.kernels.check;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.cuda.ElementType;
import org.quern.kernels.cuda.Pointwise;
import org.quern.kernels.cuda.Pointwise.Rounding;
import org.quern.ptx.KernelVariant;

/// Fills, copies, conversions, sums and scales.
public final class PointwiseCases {
    /// The largest tiles, of wide accesses and of single elements.
    private static final int TILE = 8192;

    private static final int SINGLES = 1024;

    private static final long SEED = 0x123456789ABCDEFL;
    private static final int STEP = 17;

    private PointwiseCases() {}

    public static List<KernelVariant> variants() {
        return Pointwise.variants();
    }

    public static Stream<KernelCase> cases() {
        Stream<KernelCase> single = Stream.of(ElementType.values())
                .flatMap(type -> Stream.of(
                        fill(type, 1), fill(type, 5003), copy(type, 127), normalize(type, 129), cast(type, 1)));
        Stream<KernelCase> vectors = all(Sizes.VECTORS);
        Stream<KernelCase> many = all(Sizes.manyTiles(TILE)).map(one -> one.gridsFor(1));
        Stream<KernelCase> misaligned =
                all(Sizes.manyTiles(SINGLES)).map(one -> one.misaligned().gridsFor(1));
        return Stream.of(Stream.of(stochastic(1), infinities()), single, vectors, many, misaligned)
                .flatMap(cases -> cases);
    }

    private static Stream<KernelCase> all(int count) {
        return Stream.of(
                stochastic(count),
                combination(ElementType.BF16, 0.5f, -1.25f, count),
                combination(ElementType.F32, 0.5f, -1.25f, count),
                normalize(ElementType.BF16, count),
                normalize(ElementType.F32, count),
                cast(ElementType.BF16, count),
                cast(ElementType.F32, count),
                accumulate(ElementType.BF16, ElementType.F32, count),
                accumulate(ElementType.BF16, ElementType.BF16, count),
                accumulate(ElementType.F32, ElementType.F32, count));
    }

    public static Stream<KernelCase> slowCases() {
        return Stream.of(
                stochastic(2_000_003),
                combination(ElementType.BF16, 1, 1, 8_000_001),
                normalize(ElementType.BF16, 8_000_001));
    }

    private static DeviceMemory upload(CheckDevice device, ElementType type, float[] values) {
        return type == ElementType.BF16 ? device.bf16(values) : device.f32(values);
    }

    private static DeviceMemory output(CheckDevice device, ElementType type, int count) {
        return device.output((long) count * type.bytes());
    }

    private static float[] read(CheckDevice device, ElementType type, DeviceMemory memory) {
        return type == ElementType.BF16 ? device.readBf16(memory) : device.readF32(memory);
    }

    /// Half a unit in the last place, and as much again for fp32 where operations are approximate.
    private static double rounding(ElementType type) {
        return type == ElementType.BF16 ? Bf16.ROUNDING : 1e-6;
    }

    private static KernelCase fill(ElementType type, int count) {
        return new KernelCase("fill %d %s".formatted(count, type), device -> {
            DeviceMemory out = output(device, type, count);
            device.run(Pointwise.fill(device.library(), -1.5f, out, type, count));
            double[] expected = new double[count];
            Arrays.fill(expected, -1.5);
            device.compareExactly("out", read(device, type, out), expected);
        });
    }

    private static KernelCase copy(ElementType type, int count) {
        return new KernelCase("copy %d %s".formatted(count, type), device -> {
            float[] x = device.normalBf16(count, 1);
            DeviceMemory out = output(device, type, count);
            device.run(Pointwise.copy(device.library(), upload(device, type, x), out, type, count));
            device.compareExactly("out", read(device, type, out), doubles(x));
        });
    }

    private static KernelCase combination(ElementType type, float a, float b, int count) {
        return new KernelCase("%s x + %s y, %d %s".formatted(a, b, count, type), device -> {
            float[] x = device.normalBf16(count, 1);
            float[] y = device.normalBf16(count, 1);
            DeviceMemory out = output(device, type, count);
            device.run(Pointwise.linearCombination(
                    device.library(), a, upload(device, type, x), b, upload(device, type, y), out, type, count));
            double[] expected = new double[count];
            for (int i = 0; i < count; i++) {
                expected[i] = (double) a * x[i] + (double) b * y[i];
            }
            device.compare("out", read(device, type, out), expected, rounding(type), 1e-6);
        });
    }

    private static KernelCase normalize(ElementType type, int count) {
        return new KernelCase("normalize %d %s".formatted(count, type), device -> {
            float[] x = device.normalBf16(count, 3);
            double squares = 0;
            for (float value : x) {
                squares += (double) value * value;
            }
            double[] expected = new double[count];
            for (int i = 0; i < count; i++) {
                expected[i] = x[i] / (Math.sqrt(squares) + 1e-7);
            }
            DeviceMemory memory = upload(device, type, x);
            DeviceMemory workspace = device.output(Pointwise.normalizeWorkspaceBytes(
                    count, device.library().device().multiprocessors()));
            device.run(Pointwise.normalize(device.library(), memory, memory, type, workspace, count, 1e-7));
            device.compare("in place", read(device, type, memory), expected, rounding(type) + 1e-5, 0);
        });
    }

    private static KernelCase cast(ElementType from, int count) {
        ElementType to = from == ElementType.BF16 ? ElementType.F32 : ElementType.BF16;
        return new KernelCase("cast %d %s to %s".formatted(count, from, to), device -> {
            float[] x = from == ElementType.BF16 ? device.normalBf16(count, 1) : device.normal(count, 1);
            DeviceMemory out = output(device, to, count);
            device.run(Pointwise.cast(device.library(), upload(device, from, x), from, out, to, count));
            double[] expected = new double[count];
            for (int i = 0; i < count; i++) {
                expected[i] = Bf16.round(x[i]);
            }
            device.compareExactly("out", read(device, to, out), expected);
        });
    }

    private static KernelCase accumulate(ElementType from, ElementType to, int count) {
        return new KernelCase("add %d %s to %s".formatted(count, from, to), device -> {
            float[] x = device.integers(count, 100);
            float[] old = device.integers(count, 100);
            DeviceMemory out = upload(device, to, old);
            device.run(Pointwise.accumulate(device.library(), upload(device, from, x), from, out, to, count));
            double[] expected = new double[count];
            for (int i = 0; i < count; i++) {
                expected[i] = x[i] + old[i];
            }
            device.compareExactly("out", read(device, to, out), expected);
        });
    }

    private static KernelCase stochastic(int count) {
        return new KernelCase("stochastic cast of %d".formatted(count), device -> {
            float[] x = device.normal(count, 1);
            device.compareExactly("out", castStochastically(device, x), rounded(x));
        });
    }

    private static KernelCase infinities() {
        return new KernelCase("stochastic cast of infinities and NaN", device -> {
            float[] x = {
                Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, Float.MAX_VALUE, Float.MIN_VALUE, -0f
            };
            device.compareExactly("out", castStochastically(device, x), rounded(x));
        });
    }

    private static float[] castStochastically(CheckDevice device, float[] x) {
        DeviceMemory out = device.outputBf16(x.length);
        Rounding rounding = new Rounding(SEED, 5, device.i32(new int[] {STEP}));
        device.run(Pointwise.castStochastically(device.library(), device.f32(x), out, rounding, x.length));
        return device.readBf16(out);
    }

    private static double[] rounded(float[] x) {
        double[] rounded = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            rounded[i] = Philox4x32.round(x[i], SEED, 20, STEP, i);
        }
        return rounded;
    }

    private static double[] doubles(float[] values) {
        double[] doubles = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            doubles[i] = values[i];
        }
        return doubles;
    }
}
