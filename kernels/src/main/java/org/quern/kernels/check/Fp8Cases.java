package org.quern.kernels.check;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.check.MatMulCases.Finish;
import org.quern.kernels.check.MatMulCases.Layout;
import org.quern.kernels.check.MatMulCases.Setup;
import org.quern.kernels.check.MatMulCases.Way;
import org.quern.kernels.cuda.Fp8Linear;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.Fp8Matrix;
import org.quern.kernels.cuda.Fp8Type;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.Quantize;
import org.quern.kernels.cuda.WarpgroupMatMul;
import org.quern.ptx.KernelVariant;

/// Floats of 8 bits: what brain floats become, products of such matrices, and both together.
final class Fp8Cases {
    /// Of A and B: those that there are kernels for.
    private static final Fp8[][] TYPES = {{Fp8.E4M3, Fp8.E4M3}, {Fp8.E5M2, Fp8.E4M3}, {Fp8.E4M3, Fp8.E5M2}};

    private Fp8Cases() {}

    static List<KernelVariant> variants() {
        return Stream.of(Quantize.variants(), Fp8MatMul.variants())
                .flatMap(List::stream)
                .toList();
    }

    static Stream<KernelCase> cases() {
        List<KernelCase> cases = new ArrayList<>();
        for (Fp8 type : Fp8.values()) {
            for (boolean transposed : new boolean[] {false, true}) {
                // More than a tile of both, no multiple of anything; accesses of 8; one by one.
                cases.add(quantize(type, transposed, 131, 88, Numbers.NORMAL));
                cases.add(quantize(type, transposed, 259, 77, Numbers.NORMAL));
                cases.add(quantize(type, transposed, 130, 72, Numbers.WIDE).misaligned());
                cases.add(quantize(type, transposed, 1, 1, Numbers.NORMAL));
                cases.add(quantize(type, transposed, 5, 64, Numbers.ZEROS));
                for (int rest = 1; rest <= 8; rest++) {
                    cases.add(quantize(type, transposed, 4 + rest, 64 + rest, Numbers.NORMAL));
                }
            }
            // Many partial magnitudes, and few.
            cases.add(quantize(type, false, 640, 1000, Numbers.WIDE));
            cases.add(quantize(type, true, 129, 264, Numbers.NORMAL).gridsFor(1));
            cases.add(quantize(type, false, 3, 16, Numbers.INFINITE));
            cases.add(quantize(type, false, 3, 16, Numbers.NAN));
            cases.add(quantize(type, true, 9, 16, Numbers.TINY));
            cases.add(quantize(type, false, 9, 16, Numbers.LARGEST));
        }
        // For one multiprocessor: each of 8 blocks has a tile, the first another one, and a part of a tile follows.
        cases.add(largestAt(ends(127 * 607, 8192, 8), 127, 607).gridsFor(1));
        cases.add(largestAt(ends(31 * 309, 1024, 1), 31, 309).misaligned().gridsFor(1));
        // Accesses end where the tensor does.
        cases.add(largestAt(Set.of(8 * 301 - 1), 8, 301));
        // More blocks than the next kernel has threads: the tile of number 256.
        cases.add(largestAt(Set.of(256 * 1024 + 5), 520, 520).misaligned());
        for (WarpgroupMatMul.Tile tile : Fp8MatMul.TILES) {
            for (Fp8[] types : TYPES) {
                Way way = new Way.Bytes(new WarpgroupMatMul.Plan(tile, 1), types[0], types[1]);
                int depth = (tile.stages() + 1) * 128 - 15;
                for (Finish finish : List.of(Finish.RESIDUAL, Finish.GELU, Finish.GELU_GRADIENT, Finish.ACCUMULATE)) {
                    cases.add(product(255, 2 * tile.n() - 8, depth, way, finish, Layout.BY_8)
                            .gridsFor(1));
                    cases.add(product(129, tile.n() + 29, 129, way, finish, Layout.BY_1));
                    // More than a band of tiles.
                    cases.add(product(1029, 7, 1, way, finish, Layout.BY_8));
                }
            }
        }
        Way thirds = new Way.Bytes(new WarpgroupMatMul.Plan(WarpgroupMatMul.Tile.N64, 3), Fp8.E5M2, Fp8.E4M3);
        for (Finish finish : Finish.values()) {
            cases.add(product(140, 72, 600, thirds, finish, Layout.BY_8));
        }
        for (Fp8[] types : TYPES) {
            for (boolean transposeA : new boolean[] {false, true}) {
                for (boolean transposeB : new boolean[] {false, true}) {
                    cases.add(linear(new Shape(70, 136, 200, transposeA, transposeB), types[0], types[1]));
                }
            }
        }
        return cases.stream();
    }

    static Stream<KernelCase> slowCases() {
        List<KernelCase> cases = new ArrayList<>();
        int[][] sizes = {{1, 1000, 127}, {127, 128, 1000}, {1000, 129, 8}, {300, 520, 257}};
        for (WarpgroupMatMul.Tile tile : Fp8MatMul.TILES) {
            for (int splits : new int[] {1, 5}) {
                for (Fp8[] types : TYPES) {
                    for (int[] size : sizes) {
                        for (Finish finish : Finish.values()) {
                            Way way = new Way.Bytes(new WarpgroupMatMul.Plan(tile, splits), types[0], types[1]);
                            Layout layout = Layout.values()[cases.size() % Layout.values().length];
                            cases.add(product(size[0], size[1], size[2], way, finish, layout));
                        }
                    }
                }
            }
        }
        return cases.stream();
    }

    private static KernelCase product(int m, int n, int k, Way way, Finish finish, Layout results) {
        return new Setup(new Shape(m, n, k, false, true), way, finish, Layout.BY_8, results)
                .of(finish)
                .toCase();
    }

    /// Numbers as a matrix [rows, k] of floats of 8 bits, which they must be; rows lie apart.
    static Fp8Matrix matrix(CheckDevice device, Fp8 type, double scale, int rows, int k, float[] numbers) {
        int stride = Fp8Matrix.stride(k) + Fp8Matrix.ALIGNMENT;
        byte[] bytes = new byte[(rows - 1) * stride + k];
        // NaN in either type.
        Arrays.fill(bytes, (byte) 0x7F);
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < k; i++) {
                float number = numbers[row * k + i];
                byte bits = type.bits(number / scale);
                if (type.value(bits) * scale != number) {
                    throw new IllegalArgumentException("no %s: %s".formatted(type, number / scale));
                }
                bytes[row * stride + i] = bits;
            }
        }
        return new Fp8Matrix(gpuType(type), device.bytes(bytes), stride, device.f32(new float[] {(float) scale}));
    }

    private static Fp8Type gpuType(Fp8 type) {
        return Fp8Type.valueOf(type.name());
    }

    // ---------------------------------------------------------------- quantisation

    /// What a tensor holds.
    private enum Numbers {
        NORMAL,
        /// From below the smallest to the largest magnitudes of a type beside each other.
        WIDE,
        ZEROS,
        INFINITE,
        NAN,
        /// So small that no factor makes them large.
        TINY,
        /// Whose largest is a largest finite number, times a power of two.
        LARGEST;

        float[] of(CheckDevice device, int count) {
            float[] x = device.normalBf16(count, 3);
            switch (this) {
                case NORMAL -> {}
                case WIDE -> {
                    float[] powers = device.integers(count, 20);
                    for (int i = 0; i < count; i++) {
                        x[i] = Math.scalb(x[i], (int) powers[i]);
                    }
                }
                case ZEROS -> Arrays.fill(x, -0f);
                case INFINITE -> x[count / 2] = Float.NEGATIVE_INFINITY;
                case NAN -> x[count / 2] = Float.NaN;
                case TINY -> {
                    for (int i = 0; i < count; i++) {
                        x[i] = Bf16.round(Math.scalb(x[i], -131));
                    }
                }
                case LARGEST -> x[count / 2] = -28;
            }
            return x;
        }
    }

    /// The largest power of two by which the largest magnitude stays finite, as an exponent.
    private static int shift(Fp8 type, float[] x) {
        double most = 0;
        for (float value : x) {
            most = Math.max(most, Math.abs(value)); // NaN if there is one
        }
        if (Double.isNaN(most) || Double.isInfinite(most)) {
            // What the bits of such a number give.
            int bits = Float.floatToRawIntBits((float) most);
            return Float.floatToRawIntBits((float) type.largest()) - bits >> 23;
        }
        return Math.min(126, most == 0 ? 126 : Math.getExponent(type.largest() / most));
    }

    private static KernelCase quantize(Fp8 type, boolean transposed, int rows, int columns, Numbers numbers) {
        String name = "quantize %s%s %dx%d %s"
                .formatted(
                        type,
                        transposed ? " transposed" : "",
                        rows,
                        columns,
                        numbers.name().toLowerCase());
        return new KernelCase(name, device -> {
            float[] x = numbers.of(device, rows * columns);
            int outRows = transposed ? columns : rows;
            int k = transposed ? rows : columns;
            byte[] before = new byte[(int) Fp8Matrix.bytes(outRows, k)];
            DeviceMemory memory = device.bytes(before);
            Fp8Matrix out = Fp8Matrix.in(memory, gpuType(type), outRows, k);
            int multiprocessors = device.library().device().multiprocessors();
            DeviceMemory workspace = device.output(Quantize.workspaceBytes(x.length, multiprocessors));
            device.run(Quantize.of(device.library(), device.bf16(x), rows, columns, transposed, out, workspace));

            int shift = shift(type, x);
            byte[] bytes = device.readBytes(out.values());
            int[] actual = new int[x.length];
            int[] expected = new int[x.length];
            for (int i = 0; i < x.length; i++) {
                int row = i / columns;
                int column = i % columns;
                int at = transposed ? column * out.stride() + row : row * out.stride() + column;
                actual[i] = type.isNaN(bytes[at]) ? 0x7F : bytes[at] & 0xFF;
                expected[i] = Float.isNaN(x[i]) ? 0x7F : type.bits(Math.scalb((double) x[i], shift)) & 0xFF;
            }
            device.compareExactly("out", actual, expected);
            device.compareExactly("the scale", device.readF32(out.scale()), new double[] {Math.scalb(1.0, -shift)});
        });
    }

    /// All ends of tiles and of what a block takes at a time: what an access takes, 256 times.
    private static Set<Integer> ends(int count, int tile, int access) {
        int round = 256 * access;
        Set<Integer> places = new TreeSet<>(List.of(0, access, count - 2, count - 1));
        for (int end = tile; end < count; end += tile) {
            places.addAll(List.of(end - 1, end));
        }
        for (int end = round; end < tile; end += round) {
            places.addAll(List.of(end - 1, end, tile + end, 8 * tile + end));
        }
        places.addAll(List.of(9 * tile + round - 1, 9 * tile + round));
        return places;
    }

    /// The largest magnitude is found wherever it is.
    private static KernelCase largestAt(Set<Integer> places, int rows, int columns) {
        return new KernelCase("largest magnitude of %dx%d".formatted(rows, columns), device -> {
            int count = rows * columns;
            Fp8Matrix out = Fp8Matrix.in(device.output(Fp8Matrix.bytes(rows, columns)), Fp8Type.E4M3, rows, columns);
            int multiprocessors = device.library().device().multiprocessors();
            DeviceMemory workspace = device.output(Quantize.workspaceBytes(count, multiprocessors));
            float[] ones = new float[count];
            Arrays.fill(ones, 1);
            for (int place : places) {
                float[] x = ones.clone();
                x[place] = -1024;
                device.run(Quantize.of(device.library(), device.bf16(x), rows, columns, false, out, workspace));
                device.compareExactly(
                        "the scale of a largest magnitude at " + place, device.readF32(out.scale()), new double[] {4});
            }
        });
    }

    // ---------------------------------------------------------------- both together

    /// A product of brain floats in floats of 8 bits: what the same numbers give in double precision when they are
    /// rounded the same way, and within what rounding may change of the product of the numbers themselves.
    private static KernelCase linear(Shape shape, Fp8 typeA, Fp8 typeB) {
        String name = "fp8 %s %s %s".formatted(shape, typeA, typeB);
        return new KernelCase(name, device -> {
            int m = shape.m();
            int n = shape.n();
            int k = shape.k();
            float[] a = device.normalBf16(m * k, 5);
            float[] b = device.normalBf16(k * n, 0.02);
            Operand quantizedA = new Operand(typeA, a, m, k, shape.transposeA(), shift(typeA, a));
            Operand quantizedB = new Operand(typeB, b, n, k, !shape.transposeB(), shift(typeB, b));
            DeviceMemory c = device.outputF32((long) m * n);
            device.run(new Fp8Linear(
                    device.library(),
                    shape,
                    new Matrix(device.bf16(a), shape.transposeA() ? m : k),
                    gpuType(typeA),
                    new Matrix(device.bf16(b), shape.transposeB() ? k : n),
                    gpuType(typeB),
                    new Matrix(c, n),
                    new Epilogue.StoreF32(null),
                    device.output(Fp8Linear.workspaceBytes(device.library().device(), shape))));
            double[] rounded = new double[m * n];
            double[] exact = new double[m * n];
            double[] accumulated = new double[m * n];
            double[] bounds = new double[m * n];
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                    int at = i * n + j;
                    for (int p = 0; p < k; p++) {
                        double x = quantizedA.at(i, p);
                        double y = quantizedB.at(j, p);
                        rounded[at] += quantizedA.round(x) * quantizedB.round(y);
                        accumulated[at] += 0x1p-11 * Math.abs(quantizedA.round(x) * quantizedB.round(y));
                        exact[at] += x * y;
                        bounds[at] += (Math.abs(x) + quantizedA.error(x)) * (Math.abs(y) + quantizedB.error(y))
                                - Math.abs(x * y);
                    }
                    bounds[at] += accumulated[at];
                }
            }
            device.compare("C", device.readF32(c), rounded, 0, accumulated);
            device.compare("C of the brain floats", device.readF32(c), exact, 0, bounds);
        });
    }

    /// A matrix [rows, k] and what became of it.
    private record Operand(Fp8 type, float[] x, int rows, int k, boolean transposed, int shift) {
        double at(int row, int i) {
            return transposed ? x[i * rows + row] : x[row * k + i];
        }

        double round(double value) {
            return Math.scalb(type.round(Math.scalb(value, shift)), -shift);
        }

        /// The most that rounding changes.
        double error(double value) {
            return Math.max(Math.abs(value) * type.relativeError(), Math.scalb(type.absoluteError(), -shift));
        }
    }
}
