package org.quern.kernels.check;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.MatMulPlan.Tile;

/// Matrix products: all orientations, epilogues, tiles, accesses and splits, on sizes with tails in every dimension.
///
/// Integers, whose products and sums fp32 holds exactly, must come out to the bit.
public final class MatMulCases {
    private static final int INTEGERS = 4;
    private static final double ACCUMULATION = 1e-5;

    private MatMulCases() {}

    /// What follows the product.
    enum Finish {
        STORE,
        BIAS,
        RESIDUAL,
        IN_PLACE_RESIDUAL,
        GELU,
        GELU_GRADIENT,
        F32,
        ACCUMULATE;

        boolean isFloat() {
            return this == F32 || this == ACCUMULATE;
        }

        boolean hasBias() {
            return this == BIAS || this == RESIDUAL || this == GELU;
        }
    }

    /// How matrices lie in memory.
    enum Layout {
        /// Row behind row: what odd sizes leave unaligned.
        DENSE,
        /// Strides of a multiple of 16 bytes, at least one element longer than rows.
        PADDED,
        /// Every matrix is a slice of wider ones, not aligned to more than its elements.
        ODD
    }

    /// @param plan null for the device's own
    private record Setup(Shape shape, MatMulPlan plan, Finish finish, Layout layout, boolean integers, float alpha) {
        Setup(Shape shape, MatMulPlan plan) {
            this(shape, plan, Finish.STORE, Layout.PADDED, true, 1);
        }

        Setup with(Finish other) {
            return new Setup(shape, plan, other, layout, integers, alpha);
        }

        Setup with(Layout other) {
            return new Setup(shape, plan, finish, other, integers, alpha);
        }

        Setup random() {
            return new Setup(shape, plan, finish, layout, false, 0.5f);
        }

        KernelCase toCase() {
            String tile = plan == null ? "planned" : plan.tile() + (plan.splits() == 1 ? "" : " / " + plan.splits());
            String name = "%s %s %s %s%s".formatted(shape, tile, finish, layout, integers ? "" : " random");
            return new KernelCase(name.toLowerCase(java.util.Locale.ROOT), device -> run(device, this));
        }
    }

    public static Stream<KernelCase> cases() {
        List<Setup> setups = new ArrayList<>();
        for (boolean transposeA : new boolean[] {false, true}) {
            for (boolean transposeB : new boolean[] {false, true}) {
                orientation(transposeA, transposeB, setups);
            }
        }
        for (Tile tile : Tile.values()) {
            MatMulPlan plan = new MatMulPlan(tile, 1);
            for (Finish finish : Finish.values()) {
                Setup setup =
                        new Setup(nt(tile == Tile.SMALL ? 65 : 129, 72, 16), plan, finish, Layout.PADDED, true, 2);
                setups.add(setup);
                setups.add(setup.with(Layout.ODD));
            }
        }
        MatMulPlan split = new MatMulPlan(Tile.SMALL, 3);
        for (Finish finish : Finish.values()) {
            setups.add(new Setup(nt(17, 40, 500), split).with(finish));
            setups.add(new Setup(nt(5, 13, 320), split).with(finish).with(Layout.DENSE));
        }
        setups.add(new Setup(
                new Shape(70, 66, 1000, true, false),
                new MatMulPlan(Tile.SMALL, 7),
                Finish.ACCUMULATE,
                Layout.PADDED,
                true,
                1));
        setups.add(new Setup(
                new Shape(129, 264, 100, true, false),
                new MatMulPlan(Tile.LARGE, 2),
                Finish.F32,
                Layout.PADDED,
                true,
                1));
        setups.add(new Setup(new Shape(136, 127, 100, false, false), new MatMulPlan(Tile.MEDIUM, 4)));
        for (int longest = 0; longest < 3; longest++) {
            setups.add(new Setup(nt(longest == 0 ? 1000 : 8, longest == 1 ? 1000 : 24, longest == 2 ? 1000 : 8), null));
        }
        setups.add(new Setup(nt(127, 129, 200), null).random());
        for (Finish finish : Finish.values()) {
            setups.add(new Setup(nt(33, 70, 127), new MatMulPlan(Tile.SMALL, 1))
                    .random()
                    .with(finish));
        }
        return setups.stream().map(Setup::toCase);
    }

    private static void orientation(boolean transposeA, boolean transposeB, List<Setup> setups) {
        for (Tile tile : Tile.values()) {
            MatMulPlan plan = new MatMulPlan(tile, 1);
            // Less than a tile; whole tiles, and more of them than stages; several tiles with tails.
            setups.add(new Setup(new Shape(1, 1, 1, transposeA, transposeB), plan));
            setups.add(new Setup(new Shape(128, 256, 5 * 64, transposeA, transposeB), plan));
            setups.add(new Setup(new Shape(129, 257, 127, transposeA, transposeB), plan));
        }
        MatMulPlan plan = new MatMulPlan(Tile.SMALL, 1);
        setups.add(new Setup(new Shape(124, 68, 132, transposeA, transposeB), plan).with(Layout.DENSE));
        setups.add(new Setup(new Shape(126, 66, 130, transposeA, transposeB), plan).with(Layout.DENSE));
        setups.add(new Setup(new Shape(127, 65, 129, transposeA, transposeB), plan).with(Layout.DENSE));
        setups.add(new Setup(new Shape(63, 65, 200, transposeA, transposeB), plan).with(Layout.ODD));
        setups.add(new Setup(new Shape(70, 90, 333, transposeA, transposeB), plan).random());
    }

    /// Sweeps: every tile, orientation, epilogue and split on larger sizes, layouts and kinds of numbers in turn.
    public static Stream<KernelCase> slowCases() {
        List<Setup> setups = new ArrayList<>();
        int[][] sizes = {{1, 1000, 127}, {127, 128, 1000}, {1000, 129, 8}, {300, 520, 257}, {513, 8, 129}};
        for (Tile tile : Tile.values()) {
            for (int splits : new int[] {1, 2, 5}) {
                for (int orientation = 0; orientation < 4; orientation++) {
                    for (int[] size : sizes) {
                        Shape shape =
                                new Shape(size[0], size[1], size[2], (orientation & 1) != 0, (orientation & 2) != 0);
                        for (Finish finish : Finish.values()) {
                            Layout layout = Layout.values()[setups.size() % Layout.values().length];
                            boolean integers = setups.size() % 2 == 0;
                            setups.add(new Setup(shape, new MatMulPlan(tile, splits), finish, layout, integers, 1));
                        }
                    }
                }
            }
        }
        return setups.stream().map(Setup::toCase);
    }

    private static Shape nt(int m, int n, int k) {
        return new Shape(m, n, k, false, true);
    }

    // ---------------------------------------------------------------- one case

    /// A matrix with its place in memory.
    ///
    /// @param values row behind row, without what lies between
    private record Placed(Matrix matrix, DeviceMemory whole, int start, int rows, int columns, float[] values) {
        double at(boolean transposed, int row, int column) {
            return transposed ? values[column * columns + row] : values[row * columns + column];
        }
    }

    private static void run(CheckDevice device, Setup setup) {
        Shape shape = setup.shape;
        int m = shape.m();
        int n = shape.n();
        int k = shape.k();
        Finish finish = setup.finish;
        Placed a =
                shape.transposeA() ? input(device, setup, k, m, Short.BYTES) : input(device, setup, m, k, Short.BYTES);
        Placed b =
                shape.transposeB() ? input(device, setup, n, k, Short.BYTES) : input(device, setup, k, n, Short.BYTES);
        float[] bias = finish.hasBias() ? values(device, setup, n) : new float[n];
        DeviceMemory biasMemory = finish.hasBias() ? offset(device, setup, bias) : null;
        Placed c = switch (finish) {
            case F32 -> output(device, setup, m, n, Float.BYTES);
            case ACCUMULATE -> input(device, setup, m, n, Float.BYTES);
            case IN_PLACE_RESIDUAL -> input(device, setup, m, n, Short.BYTES);
            default -> output(device, setup, m, n, Short.BYTES);
        };
        Placed extra = switch (finish) {
            case STORE, BIAS, F32 -> null;
            case IN_PLACE_RESIDUAL, ACCUMULATE -> c;
            case RESIDUAL, GELU_GRADIENT -> input(device, setup, m, n, Short.BYTES);
            case GELU -> output(device, setup, m, n, Short.BYTES);
        };
        Matrix extraMatrix = extra == null ? null : extra.matrix;
        Epilogue epilogue = switch (finish) {
            case STORE, BIAS, RESIDUAL, IN_PLACE_RESIDUAL -> new Epilogue.StoreBf16(biasMemory, extraMatrix);
            case GELU -> new Epilogue.Gelu(biasMemory, extraMatrix);
            case GELU_GRADIENT -> new Epilogue.GeluGradient(extraMatrix);
            case F32, ACCUMULATE -> new Epilogue.StoreF32(extraMatrix);
        };
        MatMulPlan plan = setup.plan != null
                ? setup.plan
                : MatMulPlan.choose(device.library().device(), m, n, k);
        DeviceMemory workspace = device.output(plan.workspaceBytes(m, n));
        device.run(new MatMul(
                device.library(), plan, shape, a.matrix, b.matrix, c.matrix, setup.alpha, epilogue, workspace));

        double[] expected = new double[m * n];
        double[] preActivation = new double[m * n];
        double[] accumulated = new double[m * n];
        for (int row = 0; row < m; row++) {
            for (int column = 0; column < n; column++) {
                double sum = 0;
                double magnitude = 0;
                for (int i = 0; i < k; i++) {
                    double product = a.at(shape.transposeA(), row, i) * b.at(shape.transposeB(), i, column);
                    sum += product;
                    magnitude += Math.abs(product);
                }
                int at = row * n + column;
                double x = setup.alpha * sum + bias[column];
                double other = extra == null || finish == Finish.GELU ? 0 : extra.values[at];
                preActivation[at] = x;
                expected[at] = switch (finish) {
                    case GELU -> gelu(x);
                    case GELU_GRADIENT -> x * geluGradient(other);
                    default -> x + other;
                };
                accumulated[at] = ACCUMULATION * (setup.alpha * magnitude + Math.abs(bias[column]) + Math.abs(other));
            }
        }
        boolean exact = setup.integers && finish != Finish.GELU && finish != Finish.GELU_GRADIENT;
        compare(device, "C", c, finish.isFloat(), exact, expected, accumulated);
        if (finish == Finish.GELU) {
            compare(device, "the pre-activation", extra, false, setup.integers, preActivation, accumulated);
        }
    }

    /// Compares the elements of a matrix, and that what lies between its rows is what it was.
    private static void compare(
            CheckDevice device,
            String what,
            Placed placed,
            boolean isFloat,
            boolean exact,
            double[] expected,
            double[] accumulated) {
        float[] all = isFloat ? device.readF32(placed.whole) : device.readBf16(placed.whole);
        float[] actual = new float[expected.length];
        for (int row = 0; row < placed.rows; row++) {
            int from = placed.start + row * placed.matrix.stride();
            System.arraycopy(all, from, actual, row * placed.columns, placed.columns);
            Arrays.fill(all, from, from + placed.columns, Float.NaN);
        }
        for (float value : all) {
            if (!Float.isNaN(value)) {
                throw new Mismatch(what + ": written between its rows");
            }
        }
        if (exact) {
            double[] rounded = Arrays.stream(expected)
                    .map(value -> isFloat ? value : Bf16.round((float) value))
                    .toArray();
            device.compareExactly(what, actual, rounded);
        } else {
            device.compare(what, actual, expected, isFloat ? 0x1p-22 : Bf16.ROUNDING, accumulated);
        }
    }

    private static double gelu(double x) {
        return 0.5 * x * (1 + Math.tanh(inner(x)));
    }

    private static double geluGradient(double x) {
        double tanh = Math.tanh(inner(x));
        double slope = Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
        return 0.5 * (1 + tanh) + 0.5 * x * (1 - tanh * tanh) * slope;
    }

    private static double inner(double x) {
        return Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);
    }

    private static float[] values(CheckDevice device, Setup setup, int count) {
        return setup.integers ? device.integers(count, INTEGERS) : device.normalBf16(count, 1);
    }

    private static Placed input(CheckDevice device, Setup setup, int rows, int columns, int elementBytes) {
        return place(device, setup, rows, columns, elementBytes, values(device, setup, rows * columns));
    }

    private static Placed output(CheckDevice device, Setup setup, int rows, int columns, int elementBytes) {
        float[] values = new float[rows * columns];
        Arrays.fill(values, Float.NaN);
        return place(device, setup, rows, columns, elementBytes, values);
    }

    /// Values as a matrix in the setup's layout; NaN lies between its rows.
    private static Placed place(
            CheckDevice device, Setup setup, int rows, int columns, int elementBytes, float[] values) {
        int stride = switch (setup.layout) {
            case DENSE -> columns;
            case PADDED -> columns / 8 * 8 + 8;
            case ODD -> columns / 2 * 2 + 3;
        };
        int start = setup.layout == Layout.ODD ? 1 : 0;
        int length = (rows - 1) * stride + columns;
        float[] all = new float[start + length];
        Arrays.fill(all, Float.NaN);
        for (int row = 0; row < rows; row++) {
            System.arraycopy(values, row * columns, all, start + row * stride, columns);
        }
        DeviceMemory whole = elementBytes == Float.BYTES ? device.f32(all) : device.bf16(all);
        DeviceMemory memory = whole.slice((long) start * elementBytes, (long) length * elementBytes);
        return new Placed(new Matrix(memory, stride), whole, start, rows, columns, values);
    }

    private static DeviceMemory offset(CheckDevice device, Setup setup, float[] values) {
        int start = setup.layout == Layout.ODD ? 1 : 0;
        float[] all = new float[start + values.length];
        System.arraycopy(values, 0, all, start, values.length);
        return device.bf16(all).slice((long) start * Short.BYTES, (long) values.length * Short.BYTES);
    }
}
