package org.quern.kernels.bench;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.ExampleDevices;
import org.quern.kernels.bench.KernelBenchmark.Setup;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.Fp8Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.ProductPlan;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import org.quern.kernels.cuda.WarpgroupMatMul;
import org.quern.ptx.emulator.Options;

/// The least time that kernels take on the sizes of training, from what the emulator counts of small ones.
///
/// What a kernel does grows in a known way: a product's counts with its tiles and their steps along k, causal
/// attention's with tiles of rows and pairs of tiles. A few small launches give the coefficients.
public final class ModelledTimes {
    /// Rows that the tiles of all attention kernels divide.
    private static final int ROWS = 128;

    /// Who runs what: the kernels of an architecture, on a device of it.
    enum Side {
        WARPS("sm_80", Options.Device.SM_80, DeviceRates.A100),
        WARPGROUPS("sm_90", Options.Device.SM_90, DeviceRates.H100);

        private final DeviceProperties device;
        private final Options.Device emulated;
        private final DeviceRates rates;

        Side(String architecture, Options.Device emulated, DeviceRates rates) {
            this.device = ExampleDevices.of(architecture).orElseThrow();
            this.emulated = emulated;
            this.rates = rates;
        }

        ProductPlan plan(Shape shape) {
            return switch (this) {
                case WARPS -> MatMulPlan.choose(device, shape.m(), shape.n(), shape.k());
                case WARPGROUPS -> WarpgroupMatMul.Plan.choose(device, shape);
            };
        }

        Setup setup(KernelBenchmark benchmark) {
            return this == WARPS ? benchmark.quern() : benchmark.libraries().get(KernelBenchmark.WGMMA);
        }
    }

    private record Key(Side side, Object what) {}

    private final Map<Key, KernelCounts> counted = new HashMap<>();
    private final FusedCounts fused = new FusedCounts();

    /// The part of a device that is busiest, and how long.
    public record Limit(String part, double seconds) {
        private static Limit of(Map<String, Double> seconds) {
            Map.Entry<String, Double> limit = limit(seconds);
            return new Limit(limit.getKey(), limit.getValue());
        }
    }

    /// What limits the kernels of warpgroups on an H100, a product by the plan that is chosen without a table.
    ///
    /// @param benchmark its name in the [catalog][BenchmarkCatalog]
    /// @return by the kernels, as they are called where they are timed; empty if nothing is modelled of it
    public Map<String, Limit> limits(String benchmark) {
        Side side = Side.WARPGROUPS;
        for (Product product : BenchmarkCatalog.products()) {
            if (product.name().equals(benchmark)) {
                return Map.of(KernelBenchmark.WGMMA, Limit.of(seconds(side, side.plan(product.shape()), product)));
            }
        }
        for (AttentionTraining training : AttentionBenchmarks.TRAININGS) {
            List<KernelBenchmark> passes = AttentionBenchmarks.training(training.use(), training.shape())
                    .toList();
            for (int pass = 0; pass < passes.size(); pass++) {
                double bytes = passes.get(pass).bytes();
                if (passes.get(pass).name().equals(benchmark)) {
                    Limit limit = Limit.of(counts(side, training.shape(), pass).modelledSeconds(side.rates, bytes, 1));
                    return pass == 0
                            ? Map.of(KernelBenchmark.WGMMA, limit)
                            : Map.of(
                                    KernelBenchmark.WGMMA,
                                    limit,
                                    KernelBenchmark.WGMMA_FUSED,
                                    Limit.of(fused.seconds(training.shape(), bytes)));
                }
            }
        }
        return Map.of();
    }

    /// The section of `kernels/KERNELS.md`.
    public static String markdown() {
        StringBuilder text = new StringBuilder("""

                ## Modelled times

                What the kernels do for the sizes of training, counted on the emulator (tiles and steps of small launches, times
                their number), and the time that the busiest part of the device needs for it at these rates. Where tensor cores wait while
                a tile is finished: products, and then what that takes of issue slots, special functions or shared memory. Nothing here was
                measured: there is no latency in it, and of caches only the rate of the L2 (H100: arXiv:2402.13499). What tensor maps
                move, tiles of C among it, goes on beside products, and counts for the L2 cache and device memory alone. Products by
                the plan that is chosen without a table, with the multiprocessors that the last round of tiles leaves idle.

                """);
        for (DeviceRates rates : List.of(DeviceRates.A100, DeviceRates.H100)) {
            text.append("- %s: tensor cores %.1f TFLOP/s, L2 cache %.1f TB/s, device memory %.2f TB/s\n"
                    .formatted(
                            rates.device(),
                            rates.matrixFlopPerSecond() / 1e12,
                            rates.l2BytesPerSecond() / 1e12,
                            rates.bytesPerSecond() / 1e12));
        }
        text.append("""

                | kernel | sm_80 on an A100 | limited by | TFLOP/s | sm_90a on an H100 | limited by | TFLOP/s |
                |---|--:|---|--:|--:|---|--:|
                """);
        ModelledTimes modelled = new ModelledTimes();
        modelled.lines().forEach(line -> text.append(line).append('\n'));
        text.append("""

                ### Forms of attention's gradient

                By two kernels, and fused, with its scratch and with the multiprocessors that are left without a head. What the L2 cache
                does not hold of Q, dOut and sums of dQ until the next tile of keys needs it is moved through device memory.

                | kernel | two kernels | limited by | TFLOP/s | fused | limited by | TFLOP/s | scratch |
                |---|--:|---|--:|--:|---|--:|--:|
                """);
        AttentionBenchmarks.TRAININGS.forEach(
                training -> text.append(modelled.forms(training)).append('\n'));
        text.append("""

                ### Tiles of warpgroups

                The same for each tile, by its best split of k, in TFLOP/s. Copies to both blocks of a pair are read once from the L2
                cache, as the emulator counts their sectors. A letter names the limit: L2 cache, tensor cores, device memory, or products and
                then ends.

                """);
        text.append("| product |");
        for (WarpgroupMatMul.Tile tile : WarpgroupMatMul.TILES) {
            text.append(" %s |".formatted(tile));
        }
        text.append("\n|---|").repeat("--:|", WarpgroupMatMul.TILES.size()).append('\n');
        for (Product product : BenchmarkCatalog.products()) {
            text.append(modelled.tiles(product)).append('\n');
        }
        text.append("""

                ### Linear layers in floats of 8 bits

                On an H100, whose tensor cores multiply %.1f TFLOP/s of such floats: the products of a layer, and what
                makes of its input and of the gradient of its output such floats, once as they are and once transposed. Weights become such
                floats once an update. Milliseconds; of products, TFLOP/s and the letter of the limit behind them. The last
                columns: all of it, the same layer's products of brain floats, and how much faster it is.

                | layer | forward | dx | dw | input | gradient | all | bf16 | |
                |---|---|---|---|--:|--:|--:|--:|--:|
                """.formatted(DeviceRates.H100.ofBytes().matrixFlopPerSecond() / 1e12));
        MatMulBenchmarks.LAYERS.stream()
                .filter(layer -> layer.products().allMatch(Product::mayBeInBytes))
                .forEach(layer -> text.append(modelled.line(layer)).append('\n'));
        return text.toString();
    }

    String tiles(Product product) {
        Side side = Side.WARPGROUPS;
        StringBuilder text = new StringBuilder("| %s %s |".formatted(product.use(), product.sizes()));
        for (WarpgroupMatMul.Tile tile : WarpgroupMatMul.TILES) {
            Map.Entry<String, Double> limit =
                    limit(seconds(side, WarpgroupMatMul.Plan.choose(side.device, tile, product.shape()), product));
            text.append(String.format(
                    Locale.ROOT,
                    " %.0f %s |",
                    product.flop() / limit.getValue() / 1e12,
                    limit.getKey().charAt(0)));
        }
        return text.toString();
    }

    private List<String> lines() {
        List<String> lines = new ArrayList<>();
        for (Product product : BenchmarkCatalog.products()) {
            lines.add(line(product));
        }
        for (AttentionTraining training : AttentionBenchmarks.TRAININGS) {
            for (int pass = 0; pass < 2; pass++) {
                lines.add(line(training, pass));
            }
        }
        return lines;
    }

    String line(Product product) {
        StringBuilder text = new StringBuilder("| %s".formatted(product.name()));
        for (Side side : Side.values()) {
            ProductPlan plan = side.plan(product.shape());
            text.append(columns(
                    "%s, k in %d: ".formatted(plan.tileName(), plan.splits()),
                    seconds(side, plan, product),
                    product.flop()));
        }
        return text.append(" |").toString();
    }

    private Map<String, Double> seconds(Side side, ProductPlan plan, Product product) {
        Shape shape = product.shape();
        long items = tiles(plan, shape) * plan.splits();
        int places = side.rates.multiprocessors() / plan.blocks();
        long rounds = Math.ceilDiv(items, places);
        // Parts of a split product are written and read once.
        DeviceRates rates = plan instanceof Fp8MatMul.Plan ? side.rates.ofBytes() : side.rates;
        double bytes = product.bytes(plan)
                + (plan.splits() == 1 ? 0 : 2.0 * Float.BYTES * shape.m() * shape.n() * plan.splits());
        double busy = (double) items / (rounds * places);
        Counted counted = counted(side, plan, product);
        Map<String, Double> seconds = new HashMap<>(counted.all().modelledSeconds(rates, bytes, busy));
        if (!plan.overlaps()) {
            double steps = counted.steps.modelledSeconds(rates, 0, busy).get("tensor cores");
            Map<String, Double> ends = counted.ends.modelledSeconds(rates, 0, busy);
            double busiest = Stream.of("issue", "special functions", "shared memory")
                    .mapToDouble(ends::get)
                    .max()
                    .orElseThrow();
            seconds.put("products, then ends", steps + busiest);
        }
        return seconds;
    }

    String line(MatMulBenchmarks.Layer layer) {
        Side side = Side.WARPGROUPS;
        StringBuilder text = new StringBuilder("| %s |".formatted(layer.name()));
        double bytes = quantized(layer.rows(), layer.inputs()) + quantized(layer.rows(), layer.outputs());
        double brainFloats = 0;
        for (Product product : layer.products().toList()) {
            Shape shape = product.shape();
            Fp8MatMul.Plan plan = Fp8MatMul.Plan.choose(side.device, shape.m(), shape.n(), shape.k());
            Map.Entry<String, Double> limit = limit(seconds(side, plan, product));
            text.append(String.format(
                    Locale.ROOT,
                    " %s, k in %d: %.3f, %.0f %s |",
                    plan.tileName(),
                    plan.splits(),
                    1e3 * limit.getValue(),
                    product.flop() / limit.getValue() / 1e12,
                    limit.getKey().charAt(0)));
            bytes += limit.getValue();
            brainFloats += limit(seconds(side, side.plan(shape), product)).getValue();
        }
        return text.append(String.format(
                        Locale.ROOT,
                        " %.3f | %.3f | %.3f | %.3f | %+.0f %% |",
                        1e3 * quantized(layer.rows(), layer.inputs()),
                        1e3 * quantized(layer.rows(), layer.outputs()),
                        1e3 * bytes,
                        1e3 * brainFloats,
                        100 * (brainFloats / bytes - 1)))
                .toString();
    }

    /// Seconds that a matrix of brain floats takes to become floats of 8 bits, as it is and transposed.
    private double quantized(int rows, int columns) {
        Side side = Side.WARPGROUPS;
        int square = Fp8Matrix.BLOCK;
        KernelCounts one = counted.computeIfAbsent(
                new Key(side, "quantize"),
                _ -> EmulatedBench.count(
                        StreamingBenchmarks.quantize(square, square).quern(), side.emulated));
        long squares = (long) Math.ceilDiv(rows, square) * Math.ceilDiv(columns, square);
        double bytes = StreamingBenchmarks.quantize(rows, columns).bytes();
        return limit(one.plus(squares - 1, one).modelledSeconds(side.rates, bytes, 1))
                .getValue();
    }

    /// @param pass 0 forward, 1 backward
    String line(AttentionTraining training, int pass) {
        KernelBenchmark benchmark = AttentionBenchmarks.training(training.use(), training.shape())
                .toList()
                .get(pass);
        StringBuilder text = new StringBuilder("| " + benchmark.name());
        for (Side side : Side.values()) {
            text.append(columns(
                    isFused(side, training.shape(), pass) ? "fused: " : "",
                    seconds(side, training.shape(), pass, benchmark.bytes()),
                    benchmark.flop()));
        }
        return text.append(" |").toString();
    }

    /// The forms of the gradient of attention.
    String forms(AttentionTraining training) {
        Attention.Shape shape = training.shape();
        KernelBenchmark benchmark =
                AttentionBenchmarks.training(training.use(), shape).toList().getLast();
        Side side = Side.WARPGROUPS;
        return "| %s%s%s%s |"
                .formatted(
                        benchmark.name(),
                        columns(
                                "",
                                counts(side, shape, 1).modelledSeconds(side.rates, benchmark.bytes(), 1),
                                benchmark.flop()),
                        columns("", fused.seconds(shape, benchmark.bytes()), benchmark.flop()),
                        " | %.0f MB".formatted(Gradient.FUSED.workspaceBytes(side.device, shape) / 1e6));
    }

    private static boolean isFused(Side side, Attention.Shape shape, int pass) {
        return side == Side.WARPGROUPS && pass == 1 && Gradient.choose(side.device, shape) == Gradient.FUSED;
    }

    /// @param bytes that must move through the device's memory
    private Map<String, Double> seconds(Side side, Attention.Shape shape, int pass, double bytes) {
        return isFused(side, shape, pass)
                ? fused.seconds(shape, bytes)
                : counts(side, shape, pass).modelledSeconds(side.rates, bytes, 1);
    }

    private static String columns(String plan, Map<String, Double> seconds, double flop) {
        Map.Entry<String, Double> limit = limit(seconds);
        return String.format(
                Locale.ROOT,
                " | %s%.3f ms | %s | %.0f",
                plan,
                1e3 * limit.getValue(),
                limit.getKey(),
                flop / limit.getValue() / 1e12);
    }

    private static Map.Entry<String, Double> limit(Map<String, Double> seconds) {
        return seconds.entrySet().stream()
                .max(Map.Entry.<String, Double>comparingByValue()
                        .thenComparing(Map.Entry.comparingByKey(Comparator.reverseOrder())))
                .orElseThrow();
    }

    /// Of whole clusters.
    private static long tiles(ProductPlan plan, Shape shape) {
        return (long) Math.ceilDiv(shape.m(), plan.blocks() * plan.tileM()) * Math.ceilDiv(shape.n(), plan.tileN());
    }

    /// What a product's kernels do.
    ///
    /// @param steps along k
    /// @param ends all else: begins and epilogues of tiles, and the reduction of a split product
    record Counted(KernelCounts steps, KernelCounts ends) {
        KernelCounts all() {
            return steps.plus(1, ends);
        }
    }

    /// A tile, of all blocks of a cluster, costs first + splits x part + steps x step.
    Counted counted(Side side, ProductPlan plan, Product product) {
        // More than are under way at a time, so that one step more is like all others.
        int steps = plan.stages() + 1;
        int splits = Math.min(plan.splits(), 2);
        KernelCounts few = tile(side, plan, product, splits, steps);
        KernelCounts step =
                tile(side, plan, product, splits, steps + 1).plus(-1, few).over(splits);
        KernelCounts part = splits == 1
                ? few.plus(-steps, step)
                : tile(side, plan, product, splits + 1, steps).plus(-1, few).plus(-steps, step);
        KernelCounts first = few.plus(-splits, part).plus(-(long) splits * steps, step);
        long allSteps = Math.ceilDiv(product.shape().k(), plan.tileK());
        KernelCounts end = first.plus(plan.splits(), part);
        long others = tiles(plan, product.shape()) - 1;
        return new Counted(step.plus(allSteps - 1, step).plus(others * allSteps, step), end.plus(others, end));
    }

    /// One tile, of so many steps in each part.
    private KernelCounts tile(Side side, ProductPlan plan, Product product, int splits, int steps) {
        ProductPlan small = switch (plan) {
            case MatMulPlan given -> new MatMulPlan(given.tile(), splits);
            case WarpgroupMatMul.Plan given -> new WarpgroupMatMul.Plan(given.tile(), splits);
            case Fp8MatMul.Plan given -> new Fp8MatMul.Plan(given.tile(), splits);
        };
        Shape shape = product.shape();
        Product one = new Product(
                "",
                new Shape(
                        plan.blocks() * plan.tileM(),
                        plan.tileN(),
                        splits * steps * plan.tileK(),
                        shape.transposeA(),
                        shape.transposeB()),
                product.ending());
        return counted.computeIfAbsent(
                new Key(side, List.of(one, small)), _ -> EmulatedBench.count(one.by(small), side.emulated));
    }

    /// n tiles of rows cost n x row + n (n + 1) / 2 x pair.
    KernelCounts counts(Side side, Attention.Shape shape, int pass) {
        KernelCounts once = rows(side, shape, 1, pass);
        KernelCounts pair = rows(side, shape, 2, pass).plus(-2, once);
        KernelCounts row = once.plus(-1, pair);
        long n = Math.ceilDiv(shape.length(), ROWS);
        KernelCounts group = row.plus(n - 1, row).plus(n * (n + 1) / 2, pair);
        return group.plus((long) shape.sequences() * shape.keyValueHeads() - 1, group);
    }

    /// One sequence of so many tiles, with one head of keys and values.
    private KernelCounts rows(Side side, Attention.Shape shape, int tiles, int pass) {
        Attention.Shape one = new Attention.Shape(
                1, tiles * ROWS, shape.heads() / shape.keyValueHeads(), 1, shape.headDim(), shape.window());
        return counted.computeIfAbsent(
                new Key(side, one + " " + pass),
                _ -> EmulatedBench.count(
                        side.setup(
                                AttentionBenchmarks.training("", one).toList().get(pass)),
                        side.emulated));
    }
}
