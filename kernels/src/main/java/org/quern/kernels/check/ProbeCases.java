package org.quern.kernels.check;

import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// Probes of single instructions with integer patterns: what a fragment, a matrix load or a zero-filling copy
/// means to the device. A kernel that is wrong on a device whose probes are right is wrong itself.
///
/// The layouts are written here from the PTX ISA, section by section, for nothing else to use.
public final class ProbeCases {
    public static final KernelVariant VARIANT = KernelVariant.of("probe.sm_80");
    private static final int LANES = 32;

    private ProbeCases() {}

    public static List<KernelVariant> variants() {
        return List.of(VARIANT);
    }

    /// Exact: where one fails, no kernel's result means anything.
    public static Stream<KernelCase> cases() {
        return Stream.of(
                new KernelCase("probe mma.m16n8k16 layout", ProbeCases::mma),
                new KernelCase("probe ldmatrix.x4 layout", device -> ldmatrix(device, false)),
                new KernelCase("probe ldmatrix.x4.trans layout", device -> ldmatrix(device, true)),
                new KernelCase("probe cp.async zero-fill", ProbeCases::cpAsync),
                new KernelCase("probe cvt.rn.bf16x2.f32", ProbeCases::convert),
                new KernelCase("probe shfl.sync", ProbeCases::shuffle));
    }

    /// Functions that the device approximates, within the errors that are documented.
    public static Stream<KernelCase> approximations() {
        return Stream.of(new KernelCase("probe approximate functions", ProbeCases::approximate));
    }

    private static void launch(CheckDevice device, String entry, int blocks, Object... arguments) {
        Launch launch =
                new Launch(device.library().function(VARIANT, entry), Dim.of(blocks), Dim.of(LANES), 0, arguments);
        device.run(stream -> stream.launch(launch));
    }

    /// PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type".
    private static void mma(CheckDevice device) {
        float[] a = device.integers(16 * 16, 7);
        float[] b = device.integers(16 * 8, 7);
        float[] c = device.integers(16 * 8, 100);
        float[] aFragments = new float[LANES * 8];
        float[] bFragments = new float[LANES * 4];
        float[] cFragments = new float[LANES * 4];
        double[] expected = new double[LANES * 4];
        for (int lane = 0; lane < LANES; lane++) {
            int group = lane >> 2;
            int inGroup = lane % 4;
            for (int i = 0; i < 8; i++) {
                int row = i < 2 || i >= 4 && i < 6 ? group : group + 8;
                int column = inGroup * 2 + (i & 1) + (i >= 4 ? 8 : 0);
                aFragments[lane * 8 + i] = a[row * 16 + column];
            }
            for (int i = 0; i < 4; i++) {
                int row = inGroup * 2 + (i & 1) + (i >= 2 ? 8 : 0);
                bFragments[lane * 4 + i] = b[row * 8 + group];
            }
            for (int i = 0; i < 4; i++) {
                int row = i < 2 ? group : group + 8;
                int column = inGroup * 2 + (i & 1);
                cFragments[lane * 4 + i] = c[row * 8 + column];
                double sum = c[row * 8 + column];
                for (int k = 0; k < 16; k++) {
                    sum += (double) a[row * 16 + k] * b[k * 8 + column];
                }
                expected[lane * 4 + i] = sum;
            }
        }
        DeviceMemory d = device.outputF32(LANES * 4);
        launch(device, "probe_mma", 1, device.bf16(aFragments), device.bf16(bFragments), device.f32(cFragments), d);
        device.compareExactly("d", device.readF32(d), expected);
    }

    /// PTX ISA, "ldmatrix": lane l holds of row l / 4 of each matrix the elements 2 (l mod 4) and the next; transposed,
    /// rows and columns change places.
    private static void ldmatrix(CheckDevice device, boolean transposed) {
        int[] words = IntStream.range(0, 4 * 64 / 2)
                .map(pair -> 2 * pair | (2 * pair + 1) << 16)
                .toArray();
        int[] expected = new int[LANES * 4];
        for (int lane = 0; lane < LANES; lane++) {
            for (int matrix = 0; matrix < 4; matrix++) {
                int[] element = new int[2];
                for (int half = 0; half < 2; half++) {
                    int outer = lane / 4;
                    int inner = 2 * (lane % 4) + half;
                    element[half] = matrix * 64 + (transposed ? inner * 8 + outer : outer * 8 + inner);
                }
                expected[lane * 4 + matrix] = element[0] | element[1] << 16;
            }
        }
        DeviceMemory out = device.outputF32(LANES * 4);
        launch(device, transposed ? "probe_ldmatrix_trans" : "probe_ldmatrix", 1, device.i32(words), out);
        device.compareExactly("matrices", device.readI32(out), expected);
    }

    private static void cpAsync(CheckDevice device) {
        int[] words =
                IntStream.range(0, LANES * 4).map(i -> 0x01010101 * (i + 1)).toArray();
        int[] sizes = IntStream.range(0, LANES).map(lane -> lane % 17).toArray();
        int[] expected = new int[LANES * 4];
        for (int lane = 0; lane < LANES; lane++) {
            for (int at = 0; at < sizes[lane]; at++) {
                int word = lane * 4 + at / 4;
                expected[word] |= words[word] & 0xFF << 8 * (at % 4);
            }
        }
        DeviceMemory out = device.outputF32(LANES * 4);
        launch(device, "probe_cp_async", 1, device.i32(words), device.i32(sizes), out);
        device.compareExactly("copied", device.readI32(out), expected);
    }

    private static void convert(CheckDevice device) {
        float[] high = device.normal(LANES, 1);
        float[] low = device.normal(LANES, 1000);
        // Ties to even, both ways; a carry into the exponent; beyond the largest; infinity.
        float[] special = {0x1.01p0f, 0x1.03p0f, 0x1.FFp0f, Float.MAX_VALUE, Float.POSITIVE_INFINITY, -0f, 0x1p-130f};
        System.arraycopy(special, 0, high, 0, special.length);
        System.arraycopy(special, 0, low, 8, special.length);
        int[] expected = new int[LANES];
        for (int i = 0; i < LANES; i++) {
            expected[i] = Bf16.bits(high[i]) << 16 | Bf16.bits(low[i]) & 0xFFFF;
        }
        DeviceMemory out = device.outputF32(LANES);
        launch(device, "probe_convert", 1, device.f32(high), device.f32(low), out);
        device.compareExactly("pairs", device.readI32(out), expected);
    }

    private static void shuffle(CheckDevice device) {
        int[] in = IntStream.range(0, LANES).map(lane -> 1000 + lane).toArray();
        int[] expected = new int[LANES * 4];
        for (int lane = 0; lane < LANES; lane++) {
            expected[4 * lane] = in[lane ^ 1];
            expected[4 * lane + 1] = in[lane + 2 < LANES ? lane + 2 : lane];
            expected[4 * lane + 2] = in[lane >= 4 ? lane - 4 : lane];
            expected[4 * lane + 3] = in[31];
        }
        DeviceMemory out = device.outputF32(LANES * 4);
        launch(device, "probe_shuffle", 1, device.i32(in), out);
        device.compareExactly("shuffled", device.readI32(out), expected);
    }

    /// The error bounds are the CUDA programming guide's and the PTX ISA's.
    private static void approximate(CheckDevice device) {
        int count = 32 * LANES;
        float[] in = new float[count];
        float[] exponents = device.normal(count, 3);
        for (int i = 0; i < count; i++) {
            in[i] = (float) Math.scalb(1 + (i + 0.5) / count, (int) exponents[i]);
        }
        DeviceMemory out = device.outputF32(7L * count);
        launch(device, "probe_approximate", count / LANES, device.f32(in), out);
        float[] actual = device.readF32(out);
        List<Function> functions = List.of(
                new Function("ex2", x -> Math.pow(2, x), 0x1p-22, 0),
                new Function("lg2", x -> Math.log(x) / Math.log(2), 0x1p-22, 0x1p-22),
                new Function("rcp", x -> 1 / x, 0x1p-22, 0),
                new Function("rsqrt", x -> 1 / Math.sqrt(x), 0x1.8p-22, 0),
                new Function("sqrt", Math::sqrt, 0x1p-21, 0),
                new Function("tanh", Math::tanh, 0x1p-10, 0),
                new Function("div.full", x -> x / 3, 0x1p-22, 0));
        for (int f = 0; f < functions.size(); f++) {
            float[] values = new float[count];
            double[] expected = new double[count];
            for (int i = 0; i < count; i++) {
                values[i] = actual[7 * i + f];
                // What is too large for f32 is infinite.
                expected[i] = (float) functions.get(f).exact().applyAsDouble(in[i]);
            }
            Function function = functions.get(f);
            device.compare(function.name(), values, expected, function.relative(), function.absolute());
        }
    }

    private record Function(
            String name, java.util.function.DoubleUnaryOperator exact, double relative, double absolute) {}
}
