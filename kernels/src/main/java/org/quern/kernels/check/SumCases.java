package org.quern.kernels.check;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.cuda.AddBias;
import org.quern.kernels.cuda.ClipFactor;
import org.quern.kernels.cuda.ColumnSum;
import org.quern.kernels.cuda.ElementType;
import org.quern.kernels.cuda.Sum;
import org.quern.ptx.KernelVariant;

/// A bias and its gradient, sums of whole tensors, the clipping factor.
public final class SumCases {
    /// The largest tiles, of wide accesses and of single elements.
    private static final int TILE = 8192;

    private static final int SINGLES = 1024;

    private SumCases() {}

    public static List<KernelVariant> variants() {
        return Stream.of(AddBias.variants(), ColumnSum.variants(), Sum.variants(), ClipFactor.variants())
                .flatMap(List::stream)
                .toList();
    }

    public static Stream<KernelCase> cases() {
        Stream<KernelCase> few = Stream.of(
                addBias(1, 1),
                addBias(43, 2064).gridsFor(1),
                addBias(43, 300).gridsFor(1),
                columnSum(1, 1, false),
                columnSum(129, 127, true),
                columnSum(127, 1000, true),
                columnSum(700, 8, false).gridsFor(1),
                columnSum(700, 7, true).gridsFor(1),
                sum(1, ElementType.F32, false),
                // More partial sums than the last block has threads.
                sum(1_150_000, ElementType.F32, false).misaligned().gridsFor(140),
                clipFactor(1, 1),
                clipFactor(129, 1),
                clipFactor(5, 100));
        Stream<KernelCase> many = Stream.of(ElementType.values())
                .flatMap(type -> Stream.of(false, true)
                        .flatMap(squares -> Stream.of(
                                sum(Sizes.VECTORS, type, squares),
                                sum(Sizes.manyTiles(TILE), type, squares).gridsFor(1),
                                sum(Sizes.manyTiles(SINGLES), type, squares)
                                        .misaligned()
                                        .gridsFor(1))));
        // 219, 329, 438 and 532 parts, of which 128 threads add up four each at a time.
        Stream<KernelCase> parts = Stream.of(7_000, 10_500, 14_000, 17_000)
                .flatMap(rows -> Stream.of(columnSum(rows, 8, false), columnSum(rows, 7, true)));
        return Stream.of(few, parts, many).flatMap(cases -> cases);
    }

    public static Stream<KernelCase> slowCases() {
        return Stream.of(
                columnSum(20_000, 768, false),
                sum(20_000_001, ElementType.F32, true),
                sum(5_000_001, ElementType.BF16, false));
    }

    private static KernelCase addBias(int rows, int width) {
        return new KernelCase("add bias %dx%d".formatted(rows, width), device -> {
            float[] x = device.integers(rows * width, 100);
            float[] bias = device.integers(width, 100);
            DeviceMemory out = device.outputBf16(x.length);
            device.run(AddBias.of(device.library(), device.bf16(x), device.bf16(bias), out, rows, width));
            double[] expected = new double[x.length];
            for (int i = 0; i < x.length; i++) {
                expected[i] = x[i] + bias[i % width];
            }
            device.compareExactly("out", device.readBf16(out), expected);
        });
    }

    private static KernelCase columnSum(int rows, int width, boolean accumulate) {
        String name = "column sum %dx%d%s".formatted(rows, width, accumulate ? " accumulated" : "");
        return new KernelCase(name, device -> {
            float[] x = device.integers(rows * width, 100);
            float[] old = device.integers(width, 1000);
            DeviceMemory out = accumulate ? device.f32(old) : device.outputF32(width);
            int multiprocessors = device.library().device().multiprocessors();
            device.run(ColumnSum.of(
                    device.library(),
                    device.bf16(x),
                    out,
                    accumulate,
                    device.output(ColumnSum.workspaceBytes(rows, width, multiprocessors)),
                    rows,
                    width));
            double[] expected = new double[width];
            for (int i = 0; i < x.length; i++) {
                expected[i % width] += x[i];
            }
            for (int i = 0; accumulate && i < width; i++) {
                expected[i] += old[i];
            }
            device.compareExactly("out", device.readF32(out), expected);
        });
    }

    private static KernelCase sum(int count, ElementType type, boolean squares) {
        String name = "sum%s of %d %s".formatted(squares ? " of squares" : "", count, type);
        return new KernelCase(name, device -> {
            float[] x = device.integers(count, 15);
            DeviceMemory xs = type == ElementType.BF16 ? device.bf16(x) : device.f32(x);
            DeviceMemory out = device.outputF32(1);
            DeviceMemory workspace = device.output(
                    Sum.workspaceBytes(count, device.library().device().multiprocessors()));
            device.run(
                    squares
                            ? Sum.ofSquares(device.library(), xs, type, out, workspace, count)
                            : Sum.of(device.library(), xs, type, out, workspace, count, 0.25f));
            double expected = 0;
            double size = 0;
            for (float value : x) {
                expected += squares ? value * value : value / 4;
                size += squares ? value * value : Math.abs(value) / 4;
            }
            // Integers are exact until sums of squares pass 2^24.
            device.compare("out", device.readF32(out), new double[] {expected}, 0, size < 0x1p24 ? 0 : 1e-6 * size);
        });
    }

    private static KernelCase clipFactor(int tensors, double maxNorm) {
        return new KernelCase("clip factor of %d tensors to %.0f".formatted(tensors, maxNorm), device -> {
            List<DeviceMemory> sums = new ArrayList<>();
            double total = 0;
            for (float value : device.integers(tensors, 100)) {
                sums.add(device.f32(new float[] {value * value}));
                total += value * value;
            }
            DeviceMemory out = device.outputF32(2);
            device.run(ClipFactor.of(device.library(), sums, out, maxNorm));
            double norm = Math.sqrt(total);
            double[] expected = {norm, Math.min(1, maxNorm / (norm + 1e-6))};
            device.compare("out", device.readF32(out), expected, 1e-6, 0);
        });
    }
}
