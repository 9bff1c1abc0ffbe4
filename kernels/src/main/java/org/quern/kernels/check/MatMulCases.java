package org.quern.kernels.check;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.Gemm;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.MatMulPlan.Tile;
import org.quern.kernels.cuda.WarpgroupMatMul;
import org.quern.kernels.cuda.WarpgroupMatMulPlan;

/// Matrix products: all orientations, epilogues, tiles, accesses and splits, on sizes with tails in every dimension.
///
/// Integers, whose products and sums fp32 holds exactly, must come out to the bit.
public final class MatMulCases {
    private static final int INTEGERS = 4;
    private static final double ACCUMULATION = 1e-5;
    private static final Way PLANNED = new Way.Warps(null);

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
        /// Row behind row.
        DENSE(0),
        /// Addresses and strides are multiples of so many elements and of no more; there is room between rows.
        BY_8(8),
        BY_4(4),
        BY_2(2),
        BY_1(1);

        private final int elements;

        Layout(int elements) {
            this.elements = elements;
        }

        int stride(int columns) {
            return this == DENSE ? columns : columns / 8 * 8 + 8 + elements % 8;
        }

        /// The first element's distance from an aligned address.
        int start() {
            return elements % 8;
        }
    }

    /// Which kernels compute a product, and how.
    sealed interface Way {
        /// `mma.sync`.
        ///
        /// @param plan null for the device's own
        record Warps(MatMulPlan plan) implements Way {
            @Override
            public String toString() {
                return plan == null ? "planned" : text(plan.tile(), plan.splits());
            }
        }

        /// `wgmma`.
        record Warpgroups(WarpgroupMatMulPlan plan) implements Way {
            @Override
            public String toString() {
                return text(plan.tile(), plan.splits());
            }
        }

        /// `wgmma` of floats of 8 bits.
        record Bytes(Fp8MatMul.Plan plan, Fp8 a, Fp8 b) implements Way {
            /// A power of two for each square of 128 rows and as many of k, other than those of the squares
            /// beside it.
            static double scale(boolean isA, int row, int i) {
                return Math.scalb(1, (2 * (row / 128) + 3 * (i / 128) + (isA ? 0 : 4)) % 7 - 3);
            }

            @Override
            public String toString() {
                return "%s %s %s".formatted(text(plan.tile(), plan.splits()), a, b);
            }
        }

        private static String text(Enum<?> tile, int splits) {
            return tile + (splits == 1 ? "" : " / " + splits);
        }
    }

    /// @param operands the layout of A and B
    /// @param results that of C, residuals, pre-activations and bias
    record Setup(Shape shape, Way way, Finish finish, Layout operands, Layout results, boolean integers, float alpha) {
        Setup(Shape shape, MatMulPlan plan, Finish finish, Layout operands, Layout results) {
            this(shape, new Way.Warps(plan), finish, operands, results);
        }

        Setup(Shape shape, Way way, Finish finish, Layout operands, Layout results) {
            this(shape, way, finish, operands, results, true, 2);
        }

        /// With numbers that show what the epilogue does.
        Setup of(Finish finish) {
            return finish == Finish.GELU || finish == Finish.GELU_GRADIENT ? random() : this;
        }

        /// With numbers of which the sums are about 1, where GELU is neither 0 nor straight.
        Setup random() {
            float root = (float) Math.sqrt(shape.k());
            return new Setup(shape, way, finish, operands, results, false, 1 / root);
        }

        KernelCase toCase() {
            String name =
                    "%s %s %s %s %s%s".formatted(shape, way, finish, operands, results, integers ? "" : " random");
            return new KernelCase(name.toLowerCase(Locale.ROOT), device -> run(device, this));
        }
    }

    /// Every kernel on all that it does: whole tiles and tails, as many k tiles that stages are used again, wide and
    /// narrow results; every reduction; sizes from 1 to 1000.
    public static Stream<KernelCase> cases() {
        List<Setup> setups = new ArrayList<>();
        for (boolean transposeA : new boolean[] {false, true}) {
            for (boolean transposeB : new boolean[] {false, true}) {
                for (Tile tile : Tile.values()) {
                    kernel(tile, Layout.BY_8, transposeA, transposeB, setups);
                }
                for (Layout narrow : List.of(Layout.BY_4, Layout.BY_2, Layout.BY_1)) {
                    kernel(Tile.SMALL, narrow, transposeA, transposeB, setups);
                }
            }
        }
        // More than a band of tiles.
        setups.add(bands(Tile.SMALL, 577, 65));
        setups.add(bands(Tile.MEDIUM, 1025, 129));
        setups.add(bands(Tile.LARGE, 1025, 257));
        MatMulPlan thirds = new MatMulPlan(Tile.SMALL, 3);
        for (Finish finish : Finish.values()) {
            setups.add(new Setup(nt(40, 40, 300), thirds, finish, Layout.BY_8, Layout.BY_8).of(finish));
            setups.add(new Setup(nt(20, 13, 320), thirds, finish, Layout.BY_8, Layout.DENSE).of(finish));
        }
        Shape gradient = new Shape(70, 66, 1000, true, false);
        setups.add(new Setup(gradient, new MatMulPlan(Tile.SMALL, 7), Finish.ACCUMULATE, Layout.BY_8, Layout.BY_8));
        setups.add(new Setup(gradient, new MatMulPlan(Tile.LARGE, 2), Finish.F32, Layout.BY_8, Layout.DENSE));
        for (Shape one : List.of(nt(1, 1, 1), nt(8, 8, 8), nt(1000, 24, 8), nt(8, 1000, 24), nt(24, 8, 1000))) {
            setups.add(new Setup(one, PLANNED, Finish.STORE, Layout.DENSE, Layout.DENSE));
        }
        setups.add(new Setup(nt(127, 129, 1000), PLANNED, Finish.BIAS, Layout.DENSE, Layout.DENSE).random());
        setups.add(
                new Setup(nt(128, 127, 129), PLANNED, Finish.IN_PLACE_RESIDUAL, Layout.DENSE, Layout.DENSE).random());
        return setups.stream().map(Setup::toCase);
    }

    /// What every epilogue's kernel of a tile, access and orientation must do.
    private static void kernel(Tile tile, Layout operands, boolean transposeA, boolean transposeB, List<Setup> setups) {
        MatMulPlan plan = new MatMulPlan(tile, 1);
        // The last row and the last columns are cut off, and there are more k tiles than stages. Once the last k tile
        // has
        // elements for its last step, once a single one.
        Shape wide = new Shape(
                2 * tile.m() - 1, 2 * tile.n() - 8, (tile.stages() + 1) * tile.k() - 15, transposeA, transposeB);
        Shape byElements = new Shape(tile.m(), tile.n() + 37, tile.stages() * tile.k() + 1, transposeA, transposeB);
        Shape tiny = new Shape(5, 7, 1, transposeA, transposeB);
        for (Finish finish : List.of(Finish.RESIDUAL, Finish.GELU, Finish.GELU_GRADIENT, Finish.ACCUMULATE)) {
            setups.add(new Setup(wide, plan, finish, operands, Layout.BY_8).of(finish));
            setups.add(new Setup(tiny, plan, finish, operands, Layout.DENSE).of(finish));
            setups.add(new Setup(byElements, plan, finish, operands, Layout.BY_1).of(finish));
        }
    }

    private static Setup bands(Tile tile, int m, int n) {
        return new Setup(nt(m, n, 1), new MatMulPlan(tile, 1), Finish.STORE, Layout.BY_8, Layout.BY_8);
    }

    /// Sweeps: every tile, orientation, epilogue and split on larger sizes, layouts and kinds of numbers in turn.
    public static Stream<KernelCase> slowCases() {
        List<Setup> setups = new ArrayList<>();
        int[][] sizes = {{1, 1000, 127}, {127, 128, 1000}, {1000, 129, 8}, {300, 520, 257}, {513, 8, 129}};
        Layout[] layouts = Layout.values();
        for (Tile tile : Tile.values()) {
            for (int splits : new int[] {1, 2, 5}) {
                for (int orientation = 0; orientation < 4; orientation++) {
                    for (int[] size : sizes) {
                        Shape shape =
                                new Shape(size[0], size[1], size[2], (orientation & 1) != 0, (orientation & 2) != 0);
                        for (Finish finish : Finish.values()) {
                            int turn = setups.size();
                            Setup setup = new Setup(
                                    shape,
                                    new MatMulPlan(tile, splits),
                                    finish,
                                    layouts[turn % layouts.length],
                                    layouts[turn / layouts.length % layouts.length]);
                            setups.add(turn % 2 == 0 ? setup : setup.random());
                        }
                    }
                }
            }
        }
        return setups.stream().map(Setup::toCase);
    }

    /// As few tiles of k as let every item of a block begin with another stage than the one before, until all
    /// have been first: what the end of a tile reads takes stages, too.
    static int shiftingTiles(WarpgroupMatMulPlan.Tile tile, Finish finish) {
        int slabs = tile.n() * (finish.isFloat() ? Float.BYTES : Short.BYTES) / 128;
        int slabsOfStage = Math.min((tile.m() + tile.n()) / tile.m(), slabs);
        int ends = finish == Finish.GELU ? 0 : Math.ceilDiv(slabs, slabsOfStage);
        return IntStream.iterate(1, tiles -> tiles + 1)
                .filter(tiles -> gcd(tiles + ends, tile.stages()) == 1)
                .findFirst()
                .orElseThrow();
    }

    private static int gcd(int a, int b) {
        return b == 0 ? a : gcd(b, a % b);
    }

    /// The kernels of warpgroups: every one with whole tiles and tails, several items a block and more k tiles than
    /// stages, wide and narrow results; splits.
    public static Stream<KernelCase> warpgroupCases() {
        List<Setup> setups = new ArrayList<>();
        List<Setup> walks = new ArrayList<>();
        for (boolean transposeA : new boolean[] {false, true}) {
            for (boolean transposeB : new boolean[] {false, true}) {
                for (WarpgroupMatMulPlan.Tile tile : WarpgroupMatMulPlan.TILES) {
                    Way way = new Way.Warpgroups(new WarpgroupMatMulPlan(tile, 1));
                    int depth = (tile.stages() + 1) * 64 - 15;
                    Shape wide = new Shape(255, 2 * tile.n() - 8, depth, transposeA, transposeB);
                    Shape byElements = new Shape(129, tile.n() + 29, 65, transposeA, transposeB);
                    for (Finish finish :
                            List.of(Finish.RESIDUAL, Finish.GELU, Finish.GELU_GRADIENT, Finish.ACCUMULATE)) {
                        // More than a band of tiles.
                        int k = 64 * shiftingTiles(tile, finish) - 63;
                        Shape thin = new Shape(1029, 7, k, transposeA, transposeB);
                        walks.add(new Setup(wide, way, finish, Layout.BY_8, Layout.BY_8).of(finish));
                        walks.add(new Setup(byElements, way, finish, Layout.BY_8, Layout.BY_1).of(finish));
                        walks.add(new Setup(thin, way, finish, Layout.BY_8, Layout.BY_8).of(finish));
                    }
                    // Nothing but the sums, and one slab of the last tiles.
                    Shape sums = new Shape(260, tile.n() + 24, 9, transposeA, transposeB);
                    for (Finish finish : List.of(Finish.STORE, Finish.F32)) {
                        walks.add(new Setup(sums, way, finish, Layout.BY_8, Layout.BY_8, true, 1));
                    }
                }
            }
        }
        Way thirds = new Way.Warpgroups(new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.N64, 3));
        for (Finish finish : Finish.values()) {
            setups.add(new Setup(nt(140, 72, 300), thirds, finish, Layout.BY_8, Layout.BY_8).of(finish));
        }
        // Items of fewer k tiles than others, which are the other consumer's.
        Way turns = new Way.Warpgroups(new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.TURNS_PAIR, 3));
        walks.add(new Setup(nt(300, 72, 300), turns, Finish.F32, Layout.BY_8, Layout.BY_8));
        // More than two rounds of stages.
        Way deep = new Way.Warpgroups(new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.TURNS_PAIR, 1));
        walks.add(new Setup(nt(300, 72, 689), deep, Finish.STORE, Layout.BY_8, Layout.BY_8));
        walks.add(new Setup(nt(300, 72, 689), deep, Finish.ACCUMULATE, Layout.BY_8, Layout.BY_8));
        Way pair = new Way.Warpgroups(new WarpgroupMatMulPlan(WarpgroupMatMulPlan.Tile.N256_PAIR, 1));
        walks.add(new Setup(nt(300, 520, 65), pair, Finish.IN_PLACE_RESIDUAL, Layout.BY_8, Layout.BY_8).random());
        return Stream.concat(
                walks.stream().map(setup -> setup.toCase().gridsFor(1)),
                setups.stream().map(Setup::toCase));
    }

    /// Sweeps: every tile, orientation, epilogue and split on larger sizes, kinds of numbers in turn.
    public static Stream<KernelCase> slowWarpgroupCases() {
        List<Setup> setups = new ArrayList<>();
        int[][] sizes = {{1, 1000, 127}, {127, 128, 1000}, {1000, 129, 8}, {300, 520, 257}};
        for (WarpgroupMatMulPlan.Tile tile : WarpgroupMatMulPlan.TILES) {
            for (int splits : new int[] {1, 5}) {
                for (int orientation = 0; orientation < 4; orientation++) {
                    for (int[] size : sizes) {
                        Shape shape =
                                new Shape(size[0], size[1], size[2], (orientation & 1) != 0, (orientation & 2) != 0);
                        for (Finish finish : Finish.values()) {
                            Way way = new Way.Warpgroups(new WarpgroupMatMulPlan(tile, splits));
                            Layout results = Layout.values()[setups.size() % Layout.values().length];
                            Setup setup = new Setup(shape, way, finish, Layout.BY_8, results);
                            setups.add(setups.size() % 2 == 0 ? setup : setup.random());
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
        Placed a = shape.transposeA() ? operand(device, setup, true, k, m) : operand(device, setup, true, m, k);
        Placed b = shape.transposeB() ? operand(device, setup, false, n, k) : operand(device, setup, false, k, n);
        float[] bias = finish.hasBias() ? values(device, setup, n) : new float[n];
        DeviceMemory biasMemory = finish.hasBias()
                ? place(device, setup.results, 1, n, Short.BYTES, bias).matrix.memory()
                : null;
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
        device.run(product(device, setup, a, b, c.matrix, epilogue));

        double[] expected = new double[m * n];
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
                double error =
                        accumulation(setup) * (setup.alpha * magnitude + Math.abs(bias[column]) + Math.abs(other));
                expected[at] = x + other;
                accumulated[at] = error;
                if (finish == Finish.GELU_GRADIENT) {
                    double slope = geluGradient(other);
                    expected[at] = Bf16.round((float) x) * slope;
                    // Near the middle of two brain floats the error decides which of them the sum becomes.
                    double between = Bf16.round((float) (x + error)) - Bf16.round((float) (x - error));
                    accumulated[at] += Math.abs(between * slope);
                }
            }
        }
        if (finish == Finish.GELU) {
            float[] stored = compare(device, "the pre-activation", extra, false, setup.integers, expected, accumulated);
            Arrays.setAll(expected, i -> gelu(stored[i]));
        }
        boolean exact = setup.integers && finish != Finish.GELU && finish != Finish.GELU_GRADIENT;
        compare(device, "C", c, finish.isFloat(), exact, expected, accumulated);
    }

    /// What sums may be off by, as a part of the sum of magnitudes. Of floats of 8 bits tensor cores cut off what is
    /// more than about 13 bits behind the largest product.
    private static double accumulation(Setup setup) {
        return setup.way instanceof Way.Bytes ? 0x1p-11 : ACCUMULATION;
    }

    private static GpuKernel product(CheckDevice device, Setup setup, Placed a, Placed b, Matrix c, Epilogue epilogue) {
        Shape shape = setup.shape;
        int m = shape.m();
        int n = shape.n();
        Gemm gemm = new Gemm(shape, a.matrix, b.matrix, c, setup.alpha, epilogue);
        return switch (setup.way) {
            case Way.Warps(MatMulPlan given) -> {
                MatMulPlan plan = given != null
                        ? given
                        : MatMulPlan.choose(device.library().device(), m, n, shape.k());
                DeviceMemory workspace = device.output(plan.workspaceBytes(m, n));
                yield new MatMul(device.library(), plan, gemm, workspace);
            }
            case Way.Warpgroups(WarpgroupMatMulPlan plan) -> {
                DeviceMemory workspace = device.output(plan.workspaceBytes(m, n));
                yield new WarpgroupMatMul(device.library(), plan, gemm, workspace);
            }
            case Way.Bytes way -> {
                DeviceMemory workspace = device.output(way.plan.workspaceBytes(m, n));
                yield Fp8MatMul.of(
                        device.library(),
                        way.plan,
                        m,
                        n,
                        shape.k(),
                        Fp8Cases.matrix(device, way.a, true, m, shape.k(), a.values),
                        Fp8Cases.matrix(device, way.b, false, n, shape.k(), b.values),
                        c,
                        setup.alpha,
                        epilogue,
                        workspace);
            }
        };
    }

    /// Compares the elements of a matrix, which it returns, and that what lies between its rows is what it was.
    private static float[] compare(
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
        return actual;
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

    private static Placed operand(CheckDevice device, Setup setup, boolean isA, int rows, int columns) {
        float[] values = values(device, setup, rows * columns);
        if (setup.way instanceof Way.Bytes way) {
            Fp8 type = isA ? way.a : way.b;
            for (int i = 0; i < values.length; i++) {
                double scale = Way.Bytes.scale(isA, i / columns, i % columns);
                values[i] = (float) (scale * type.round(values[i] / scale));
            }
        }
        return place(device, setup.operands, rows, columns, Short.BYTES, values);
    }

    private static Placed input(CheckDevice device, Setup setup, int rows, int columns, int elementBytes) {
        return place(device, setup.results, rows, columns, elementBytes, values(device, setup, rows * columns));
    }

    private static Placed output(CheckDevice device, Setup setup, int rows, int columns, int elementBytes) {
        float[] values = new float[rows * columns];
        Arrays.fill(values, Float.NaN);
        return place(device, setup.results, rows, columns, elementBytes, values);
    }

    /// Values as a matrix in a layout; NaN lies between its rows.
    private static Placed place(
            CheckDevice device, Layout layout, int rows, int columns, int elementBytes, float[] values) {
        int stride = layout.stride(columns);
        int start = layout.start();
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
}
