package org.quern.kernels.check;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.gpu.TensorMap;
import org.quern.gpu.TensorMap.Element;
import org.quern.gpu.TensorMap.Swizzle;
import org.quern.ptx.KernelVariant;

/// As [ProbeCases], what boxes of tensor maps and matrices of `wgmma` mean to a device of compute capability 9.0.
///
/// The layouts are written here from the PTX ISA ("Swizzling modes", "Asynchronous warpgroup level matrix
/// shared memory layout", "Register fragments"), for nothing else to use.
public final class WarpgroupProbeCases {
    private static final KernelVariant VARIANT = KernelVariant.of("probe.sm_90a");
    private static final int THREADS = 128;
    private static final int SHARED_BYTES = 32_768;
    private static final int IMAGE_ELEMENTS = SHARED_BYTES / Short.BYTES;
    /// Of A, and of B.
    private static final int MN = 64;
    private static final int DEPTH = 16;
    /// Where B begins.
    private static final int B_AT = SHARED_BYTES / 2;

    private WarpgroupProbeCases() {}

    public static List<KernelVariant> variants() {
        return List.of(VARIANT);
    }

    public static Stream<KernelCase> cases() {
        List<KernelCase> cases = new ArrayList<>();
        for (Swizzle swizzle : Swizzle.values()) {
            for (int[] start : new int[][] {{0, 0}, {5, 3}, {-3, -2}, {40, 30}}) {
                cases.add(new KernelCase(
                        "probe box %s at %d, %d".formatted(swizzle.name().toLowerCase(), start[0], start[1]),
                        device -> box(device, swizzle, start[0], start[1])));
            }
        }
        for (int span : new int[] {16, 32, 64, 128}) {
            for (boolean mnMajorA : new boolean[] {false, true}) {
                for (boolean mnMajorB : new boolean[] {false, true}) {
                    cases.add(new KernelCase(
                            "probe wgmma span %d, %s-major and %s-major"
                                    .formatted(span, mnMajorA ? "m" : "k", mnMajorB ? "n" : "k"),
                            device -> product(device, span, mnMajorA, mnMajorB, false)));
                }
            }
            for (boolean mnMajorB : new boolean[] {false, true}) {
                cases.add(new KernelCase(
                        "probe wgmma span %d, fragments and %s-major".formatted(span, mnMajorB ? "n" : "k"),
                        device -> product(device, span, false, mnMajorB, true)));
            }
        }
        for (String types : List.of("e4m3_e4m3", "e4m3_e5m2", "e5m2_e4m3", "e5m2_e5m2")) {
            for (int span : new int[] {16, 32, 64, 128}) {
                cases.add(new KernelCase(
                        "probe wgmma %s span %d".formatted(types, span),
                        device -> productOfBytes(device, types, span, false)));
            }
            cases.add(new KernelCase(
                    "probe wgmma %s fragments".formatted(types), device -> productOfBytes(device, types, 128, true)));
        }
        for (Fp8 type : Fp8.values()) {
            cases.add(new KernelCase("probe cvt " + type, device -> convert(device, type)));
        }
        return cases.stream();
    }

    private static void launch(CheckDevice device, String entry, Object... arguments) {
        Launch launch = new Launch(
                device.library().function(VARIANT, entry), Dim.of(1), Dim.of(THREADS), SHARED_BYTES, arguments);
        device.run(stream -> stream.launch(launch));
    }

    /// The place of 16-byte piece `piece` in row `row` of rows of `span` bytes, in pieces: the number of the
    /// 128-byte line, as far as the span reaches, turns the pieces.
    private static int turned(int row, int piece, int span) {
        return switch (span) {
            case 128 -> piece ^ row % 8;
            case 64 -> piece ^ row / 2 % 4;
            case 32 -> piece ^ row / 4 % 2;
            default -> piece;
        };
    }

    private static void box(CheckDevice device, Swizzle swizzle, int x, int y) {
        int rows = 45;
        int columns = 70;
        int stride = 80;
        int span = swizzle == Swizzle.NONE ? 64 : swizzle.span();
        int boxColumns = span / Short.BYTES;
        int boxRows = 16;
        float[] values = device.integers(rows * stride, 120);
        DeviceMemory memory = device.bf16(values);
        TensorMap map = TensorMap.matrix(
                Element.BFLOAT16, memory, rows, columns, (long) stride * Short.BYTES, boxRows, boxColumns, swizzle);
        int bytes = boxRows * span;
        DeviceMemory out = device.outputBf16(bytes / Short.BYTES);
        launch(device, "probe_box", map, x, y, bytes, out);
        double[] expected = new double[bytes / Short.BYTES];
        for (int row = 0; row < boxRows; row++) {
            for (int column = 0; column < boxColumns; column++) {
                boolean inside = y + row >= 0 && y + row < rows && x + column >= 0 && x + column < columns;
                int piece = swizzle == Swizzle.NONE ? column / 8 : turned(row, column / 8, span);
                expected[row * boxColumns + piece * 8 + column % 8] =
                        inside ? values[(y + row) * stride + x + column] : 0;
            }
        }
        device.compareExactly("the box", device.readBf16(out), expected);
    }

    /// The byte at which element (mn, k) of a matrix of 64 by 16 lies.
    ///
    /// @param span of a row of an atom, 16 without swizzle
    private static int place(int mn, int k, int span, boolean mnMajor) {
        if (span == 16) {
            int block = k / 8 * (MN / 8) + mn / 8;
            return block * 128 + (mnMajor ? k % 8 * 16 + mn % 8 * 2 : mn % 8 * 16 + k % 8 * 2);
        }
        int row = mnMajor ? k : mn;
        int column = mnMajor ? mn : k;
        int wide = span / Short.BYTES;
        int rows = mnMajor ? DEPTH : MN;
        return column / wide * rows * span
                + row * span
                + turned(row, column % wide / 8, span) * 16
                + column % 8 * Short.BYTES;
    }

    private static long descriptor(int start, int span, boolean mnMajor) {
        long leading;
        long stride;
        if (span == 16) {
            leading = MN / 8 * 128;
            stride = 128;
        } else {
            leading = mnMajor ? DEPTH * span : 16;
            stride = 8 * span;
        }
        long swizzle = span == 128 ? 1 : span == 64 ? 2 : span == 32 ? 3 : 0;
        return start >> 4 | leading >> 4 << 16 | stride >> 4 << 32 | swizzle << 62;
    }

    /// Integers that either type has, of which no sum needs more than 11 bits: less than the accumulators of such
    /// products are known to keep.
    private static void productOfBytes(CheckDevice device, String types, int span, boolean inRegisters) {
        int depth = 32;
        int pieces = depth / 16;
        float[] a = device.integers(MN * depth, 7);
        float[] b = device.integers(MN * depth, 7);
        Fp8 typeA = Fp8.of(types.substring(0, 4));
        Fp8 typeB = Fp8.of(types.substring(5));
        byte[] image = new byte[SHARED_BYTES];
        byte[] fragments = new byte[THREADS * 16];
        for (int mn = 0; mn < MN; mn++) {
            for (int k = 0; k < depth; k++) {
                // Without swizzle, pieces of 8 rows lie together; else a row of an atom has as many as there is room
                // for.
                int inRow = Math.min(span / 16, pieces);
                int at = span == 16
                        ? k / 16 * MN * 16 + mn * 16
                        : k / 16 / inRow * MN * span + mn * span + turned(mn, k / 16 % inRow, span) * 16;
                image[at + k % 16] = typeA.bits(a[mn * depth + k]);
                image[B_AT + at + k % 16] = typeB.bits(b[mn * depth + k]);
                // Warp mn / 16; a lane has rows r and r + 8, columns c to c + 3 and c + 16 to c + 19.
                int thread = mn / 16 * 32 + mn % 8 * 4 + k % 16 / 4;
                fragments[thread * 16 + k / 16 * 8 + mn / 8 % 2 * 4 + k % 4] = typeA.bits(a[mn * depth + k]);
            }
        }
        DeviceMemory d = device.outputF32(THREADS * 32);
        long leading = span == 16 ? MN * 16 : 16;
        long swizzle = span == 128 ? 1 : span == 64 ? 2 : span == 32 ? 3 : 0;
        long layout = leading >> 4 << 16 | 8L * span >> 4 << 32 | swizzle << 62;
        launch(
                device,
                "probe_wgmma_" + (inRegisters ? "r_" : "") + types,
                device.bytes(image),
                device.bytes(fragments),
                layout,
                layout | B_AT >> 4,
                d);
        device.compareExactly("d", device.readF32(d), accumulators(a, b, depth));
    }

    /// What each thread holds of a product of integers.
    private static double[] accumulators(float[] a, float[] b, int depth) {
        double[] expected = new double[THREADS * 32];
        for (int row = 0; row < MN; row++) {
            for (int column = 0; column < MN; column++) {
                int thread = row / 16 * 32 + row % 8 * 4 + column % 8 / 2;
                double sum = 0;
                for (int k = 0; k < depth; k++) {
                    sum += (double) a[row * depth + k] * b[column * depth + k];
                }
                expected[thread * 32 + column / 8 * 4 + row / 8 % 2 * 2 + column % 2] = sum;
            }
        }
        return expected;
    }

    private static void convert(CheckDevice device, Fp8 type) {
        float[] high = device.normal(THREADS, 1);
        float[] low = device.normal(THREADS, 100);
        // Ties to even, both ways; a carry into the exponent; beyond the largest; infinity; what is small.
        float[] special = {
            1.0625f,
            1.1875f,
            1.125f,
            1.375f,
            1.96875f,
            440,
            464,
            465,
            57344,
            61440,
            1e9f,
            Float.NEGATIVE_INFINITY,
            -0f,
            0x1p-9f,
            0x1p-10f,
            0x1.8p-10f,
            0x1p-16f,
            -0x1.8p-17f,
            0x1p-17f,
            0x1p-130f
        };
        System.arraycopy(special, 0, high, 0, special.length);
        System.arraycopy(special, 0, low, 32, special.length);
        int[] pairs = new int[THREADS];
        double[] back = new double[2 * THREADS];
        for (int i = 0; i < THREADS; i++) {
            pairs[i] = (type.bits(high[i]) & 0xFF) << 8 | type.bits(low[i]) & 0xFF;
            back[2 * i] = type.round(low[i]);
            back[2 * i + 1] = type.round(high[i]);
        }
        DeviceMemory out = device.outputF32(THREADS);
        DeviceMemory halves = device.outputF32(THREADS);
        launch(device, "probe_convert_" + type, device.f32(high), device.f32(low), out, halves);
        device.compareExactly("pairs", device.readI32(out), pairs);
        float[] widened = new float[2 * THREADS];
        int[] words = device.readI32(halves);
        for (int i = 0; i < THREADS; i++) {
            widened[2 * i] = Float.float16ToFloat((short) words[i]);
            widened[2 * i + 1] = Float.float16ToFloat((short) (words[i] >>> 16));
        }
        device.compareExactly("halves", widened, back);
    }

    private static void product(CheckDevice device, int span, boolean mnMajorA, boolean mnMajorB, boolean inRegisters) {
        float[] a = device.integers(MN * DEPTH, 15);
        float[] b = device.integers(MN * DEPTH, 15);
        float[] image = new float[IMAGE_ELEMENTS];
        float[] fragments = new float[THREADS * 8];
        for (int mn = 0; mn < MN; mn++) {
            for (int k = 0; k < DEPTH; k++) {
                image[place(mn, k, span, mnMajorA) / 2] = a[mn * DEPTH + k];
                image[(B_AT + place(mn, k, span, mnMajorB)) / 2] = b[mn * DEPTH + k];
                // Warp mn / 16; a lane has rows r and r + 8, columns c, c + 1, c + 8 and c + 9.
                int thread = mn / 16 * 32 + mn % 8 * 4 + k % 8 / 2;
                fragments[thread * 8 + k / 8 * 4 + mn / 8 % 2 * 2 + k % 2] = a[mn * DEPTH + k];
            }
        }
        DeviceMemory d = device.outputF32(THREADS * 32);
        launch(
                device,
                "probe_wgmma_" + (inRegisters ? "r" : mnMajorA ? "1" : "0") + (mnMajorB ? "1" : "0"),
                device.bf16(image),
                device.bf16(fragments),
                descriptor(0, span, mnMajorA),
                descriptor(B_AT, span, mnMajorB),
                d);
        device.compareExactly("d", device.readF32(d), accumulators(a, b, DEPTH));
    }
}
