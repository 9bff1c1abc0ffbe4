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
        double[] expected = new double[THREADS * 32];
        for (int row = 0; row < MN; row++) {
            for (int column = 0; column < MN; column++) {
                int thread = row / 16 * 32 + row % 8 * 4 + column % 8 / 2;
                double sum = 0;
                for (int k = 0; k < DEPTH; k++) {
                    sum += (double) a[row * DEPTH + k] * b[column * DEPTH + k];
                }
                expected[thread * 32 + column / 8 * 4 + row / 8 % 2 * 2 + column % 2] = sum;
            }
        }
        device.compareExactly("d", device.readF32(d), expected);
    }
}
