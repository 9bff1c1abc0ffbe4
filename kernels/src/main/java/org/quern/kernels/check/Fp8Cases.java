package org.quern.kernels.check;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.check.MatMulCases.Finish;
import org.quern.kernels.check.MatMulCases.Layout;
import org.quern.kernels.check.MatMulCases.Setup;
import org.quern.kernels.check.MatMulCases.Way;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.Fp8Matrix;
import org.quern.kernels.cuda.Fp8Type;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.Quantize;
import org.quern.kernels.cuda.WarpgroupMatMulPlan;
import org.quern.ptx.KernelVariant;

/// Floats of 8 bits: what brain floats become, products of such matrices, and both together.
final class Fp8Cases {
    /// Of A and B: those that there are kernels for.
    private static final Fp8[][] TYPES = {{Fp8.E4M3, Fp8.E4M3}, {Fp8.E5M2, Fp8.E4M3}, {Fp8.E4M3, Fp8.E5M2}};

    /// Rows, and columns, that have a scale together.
    private static final int SQUARE = 128;

    private Fp8Cases() {}

    static List<KernelVariant> variants() {
        return Stream.of(Quantize.variants(), Fp8MatMul.variants())
                .flatMap(List::stream)
                .toList();
    }

    static Stream<KernelCase> cases() {
        List<KernelCase> cases = new ArrayList<>();
        for (Fp8 type : Fp8.values()) {
            for (Copies copies : Copies.values()) {
                // More than a square both ways, no multiple of anything; accesses of 8; one by one.
                cases.add(quantize(type, copies, 131, 136, Numbers.NORMAL));
                cases.add(quantize(type, copies, 259, 77, Numbers.NORMAL));
                cases.add(quantize(type, copies, 130, 72, Numbers.WIDE).misaligned());
                cases.add(quantize(type, copies, 1, 1, Numbers.NORMAL));
                cases.add(quantize(type, copies, 5, 64, Numbers.ZEROS));
                for (int rest = 1; rest <= 8; rest++) {
                    cases.add(quantize(type, copies, 4 + rest, 64 + rest, Numbers.NORMAL));
                }
                for (int rest = 1; rest < 4; rest++) {
                    cases.add(quantize(type, copies, 4 + rest, 72, Numbers.NORMAL));
                }
            }
            cases.add(quantize(type, Copies.PLAIN, 3, 16, Numbers.INFINITE));
            cases.add(quantize(type, Copies.BOTH, 3, 16, Numbers.NAN));
            cases.add(quantize(type, Copies.TRANSPOSED, 9, 16, Numbers.TINY));
            cases.add(quantize(type, Copies.PLAIN, 9, 16, Numbers.LARGEST));
        }
        cases.add(quantize(Fp8.E4M3, Copies.BOTH, 1024, 512, Numbers.PEAKS));
        cases.add(
                quantize(Fp8.E4M3, Copies.TRANSPOSED, 1024, 512, Numbers.PEAKS).misaligned());
        for (WarpgroupMatMulPlan.Tile tile : Fp8MatMul.TILES) {
            for (Fp8[] types : TYPES) {
                Way way = new Way.Bytes(new Fp8MatMul.Plan(tile, 1), types[0], types[1]);
                int depth = (tile.stages() + 1) * 128 - 15;
                for (Finish finish : List.of(Finish.RESIDUAL, Finish.GELU, Finish.GELU_GRADIENT, Finish.ACCUMULATE)) {
                    cases.add(product(255, 2 * tile.n() - 8, depth, way, finish, Layout.BY_8)
                            .gridsFor(1));
                    cases.add(product(129, tile.n() + 29, 129, way, finish, Layout.BY_1)
                            .gridsFor(1));
                    // More than a band of tiles.
                    int k = 128 * MatMulCases.shiftingTiles(tile, finish) - 127;
                    cases.add(product(1029, 7, k, way, finish, Layout.BY_8).gridsFor(1));
                }
            }
            Way same = new Way.Bytes(new Fp8MatMul.Plan(tile, 1), Fp8.E4M3, Fp8.E4M3);
            cases.add(product(200, 376, 300, same, Finish.GELU, Layout.BY_8));
        }
        Way thirds = new Way.Bytes(new Fp8MatMul.Plan(WarpgroupMatMulPlan.Tile.N64, 3), Fp8.E5M2, Fp8.E4M3);
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
        for (WarpgroupMatMulPlan.Tile tile : Fp8MatMul.TILES) {
            for (int splits : new int[] {1, 5}) {
                for (Fp8[] types : TYPES) {
                    for (int[] size : sizes) {
                        for (Finish finish : Finish.values()) {
                            Way way = new Way.Bytes(new Fp8MatMul.Plan(tile, splits), types[0], types[1]);
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
    static Fp8Matrix matrix(CheckDevice device, Fp8 type, boolean isA, int rows, int k, float[] numbers) {
        int stride = Fp8Matrix.stride(k) + Fp8Matrix.ALIGNMENT;
        byte[] bytes = new byte[(rows - 1) * stride + k];
        float[] scales = new float[(int) Fp8Matrix.scales(rows, k)];
        // NaN in either type.
        Arrays.fill(bytes, (byte) 0x7F);
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < k; i++) {
                double scale = Way.Bytes.scale(isA, row, i);
                float number = numbers[row * k + i];
                byte bits = type.bits(number / scale);
                if (type.value(bits) * scale != number) {
                    throw new IllegalArgumentException("no %s: %s".formatted(type, number / scale));
                }
                bytes[row * stride + i] = bits;
                scales[square(row, i, k)] = (float) scale;
            }
        }
        return new Fp8Matrix(gpuType(type), device.bytes(bytes), stride, device.f32(scales));
    }

    /// The number of the square of an element of a matrix [.., k].
    private static int square(int row, int i, int k) {
        return row / SQUARE * Math.ceilDiv(k, SQUARE) + i / SQUARE;
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
        LARGEST,
        /// Ones, and one larger number in each square, elsewhere in each: each number of a thread, each warp, other
        /// lanes.
        PEAKS;

        float[] of(CheckDevice device, int rows, int columns) {
            int count = rows * columns;
            float[] x = device.normalBf16(count, 3);
            switch (this) {
                case NORMAL -> {}
                case PEAKS -> {
                    Arrays.fill(x, 1);
                    for (int square = 0; square < count / (SQUARE * SQUARE); square++) {
                        int row = square % 4 + 4 * (square * 5 % 8) + 32 * (square / 4 % 4);
                        int column = square / 4 % 8 + 8 * (square * 3 % 4) + 32 * (square % 4);
                        int squares = columns / SQUARE;
                        x[(square / squares * SQUARE + row) * columns + square % squares * SQUARE + column] = -1024;
                    }
                }
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

    private enum Copies {
        PLAIN,
        TRANSPOSED,
        BOTH
    }

    /// For each square, the largest power of two by which its largest magnitude stays finite, as an exponent.
    private static int[] shifts(Fp8 type, float[] x, int columns) {
        int rows = x.length / columns;
        double[] most = new double[(int) Fp8Matrix.scales(rows, columns)];
        for (int i = 0; i < x.length; i++) {
            int square = square(i / columns, i % columns, columns);
            most[square] = Math.max(most[square], Math.abs(x[i])); // NaN if there is one
        }
        return Arrays.stream(most).mapToInt(value -> shift(type, value)).toArray();
    }

    private static int shift(Fp8 type, double most) {
        if (Double.isNaN(most) || Double.isInfinite(most)) {
            // What the bits of such a number give.
            int bits = Float.floatToRawIntBits((float) most);
            return Float.floatToRawIntBits((float) type.largest()) - bits >> 23;
        }
        return Math.min(126, most == 0 ? 126 : Math.getExponent(type.largest() / most));
    }

    private static KernelCase quantize(Fp8 type, Copies copies, int rows, int columns, Numbers numbers) {
        String name = "quantize %s %s %dx%d %s"
                .formatted(type, copies, rows, columns, numbers)
                .toLowerCase(Locale.ROOT);
        return new KernelCase(name, device -> {
            float[] x = numbers.of(device, rows, columns);
            Fp8Matrix plain = copies == Copies.TRANSPOSED ? null : empty(device, type, rows, columns);
            Fp8Matrix transposed = copies == Copies.PLAIN ? null : empty(device, type, columns, rows);
            device.run(Quantize.of(device.library(), device.bf16(x), rows, columns, plain, transposed));
            if (plain != null) {
                compare(device, "plain", type, x, columns, plain, false);
            }
            if (transposed != null) {
                compare(device, "transposed", type, x, columns, transposed, true);
            }
        });
    }

    private static Fp8Matrix empty(CheckDevice device, Fp8 type, int rows, int k) {
        return Fp8Matrix.in(device.bytes(new byte[(int) Fp8Matrix.bytes(rows, k)]), gpuType(type), rows, k);
    }

    private static void compare(
            CheckDevice device, String what, Fp8 type, float[] x, int columns, Fp8Matrix out, boolean transposed) {
        int rows = x.length / columns;
        int[] shifts = shifts(type, x, columns);
        double[] scales = new double[shifts.length];
        byte[] bytes = device.readBytes(out.values());
        int[] actual = new int[x.length];
        int[] expected = new int[x.length];
        for (int i = 0; i < x.length; i++) {
            int row = i / columns;
            int column = i % columns;
            int at = transposed ? column * out.stride() + row : row * out.stride() + column;
            int shift = shifts[square(row, column, columns)];
            actual[i] = type.isNaN(bytes[at]) ? 0x7F : bytes[at] & 0xFF;
            expected[i] = Float.isNaN(x[i]) ? 0x7F : type.bits(Math.scalb((double) x[i], shift)) & 0xFF;
            scales[transposed ? square(column, row, rows) : square(row, column, columns)] = Math.scalb(1.0, -shift);
        }
        device.compareExactly(what, actual, expected);
        device.compareExactly("the scales of " + what, device.readF32(out.scales()), scales);
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
            Operand quantizedA = new Operand(typeA, a, m, k, shape.transposeA());
            Operand quantizedB = new Operand(typeB, b, n, k, !shape.transposeB());
            DeviceMemory c = device.outputF32((long) m * n);
            Fp8MatMul.Plan plan = Fp8MatMul.Plan.choose(device.library().device(), m, n, k);
            device.run(Fp8MatMul.of(
                    device.library(),
                    plan,
                    m,
                    n,
                    k,
                    quantizedA.onDevice(device),
                    quantizedB.onDevice(device),
                    new Matrix(c, n),
                    1,
                    new Epilogue.StoreF32(null),
                    device.output(plan.workspaceBytes(m, n))));
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
                        double product = quantizedA.rounded(i, p) * quantizedB.rounded(j, p);
                        rounded[at] += product;
                        accumulated[at] += 0x1p-11 * Math.abs(product);
                        exact[at] += x * y;
                        bounds[at] += (Math.abs(x) + quantizedA.error(i, p)) * (Math.abs(y) + quantizedB.error(j, p))
                                - Math.abs(x * y);
                    }
                    bounds[at] += accumulated[at];
                }
            }
            device.compare("C", device.readF32(c), rounded, 0, accumulated);
            device.compare("C of the brain floats", device.readF32(c), exact, 0, bounds);
        });
    }

    /// A matrix [rows, k] of brain floats, stored so or the other way round, and what becomes of it.
    private record Operand(Fp8 type, float[] x, int rows, int k, boolean transposed, int[] shifts) {
        Operand(Fp8 type, float[] x, int rows, int k, boolean transposed) {
            this(type, x, rows, k, transposed, Fp8Cases.shifts(type, x, transposed ? rows : k));
        }

        Fp8Matrix onDevice(CheckDevice device) {
            Fp8Matrix matrix = empty(device, type, rows, k);
            DeviceMemory memory = device.bf16(x);
            device.run(
                    transposed
                            ? Quantize.of(device.library(), memory, k, rows, null, matrix)
                            : Quantize.of(device.library(), memory, rows, k, matrix, null));
            return matrix;
        }

        double at(int row, int i) {
            return transposed ? x[i * rows + row] : x[row * k + i];
        }

        private int shift(int row, int i) {
            return shifts[transposed ? square(i, row, rows) : square(row, i, k)];
        }

        double rounded(int row, int i) {
            int shift = shift(row, i);
            return Math.scalb(type.round(Math.scalb(at(row, i), shift)), -shift);
        }

        /// The most that rounding changes.
        double error(int row, int i) {
            return Math.max(
                    Math.abs(at(row, i)) * type.relativeError(), Math.scalb(type.absoluteError(), -shift(row, i)));
        }
    }
}
