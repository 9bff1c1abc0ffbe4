package org.quern.kernels.bench;

import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
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
import org.quern.kernels.cuda.WarpgroupMatMulPlan;
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

        DeviceProperties device() {
            return device;
        }

        ProductPlan plan(Shape shape) {
            return switch (this) {
                case WARPS -> MatMulPlan.choose(device, shape.m(), shape.n(), shape.k());
                case WARPGROUPS -> WarpgroupMatMulPlan.choose(device, shape);
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
            return seconds.entrySet().stream()
                    .max(Map.Entry.<String, Double>comparingByValue()
                            .thenComparing(Map.Entry.comparingByKey(Comparator.reverseOrder())))
                    .map(limit -> new Limit(limit.getKey(), limit.getValue()))
                    .orElseThrow();
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
                return Map.of(KernelBenchmark.WGMMA, product(side, side.plan(product.shape()), product));
            }
        }
        for (AttentionTraining training : AttentionBenchmarks.TRAININGS) {
            List<KernelBenchmark> passes = AttentionBenchmarks.training(training.use(), training.shape())
                    .toList();
            for (int pass = 0; pass < passes.size(); pass++) {
                double bytes = passes.get(pass).bytes();
                if (passes.get(pass).name().equals(benchmark)) {
                    Attention.Shape shape = training.shape();
                    return pass == 0
                            ? Map.of(KernelBenchmark.WGMMA, attention(side, shape, pass, bytes))
                            : Map.of(
                                    KernelBenchmark.WGMMA,
                                    gradient(Gradient.TWO_KERNELS, shape, bytes),
                                    KernelBenchmark.WGMMA_FUSED,
                                    gradient(Gradient.FUSED, shape, bytes));
                }
            }
        }
        return Map.of();
    }

    /// A product by a plan.
    Limit product(Side side, ProductPlan plan, Product product) {
        Shape shape = product.shape();
        long items = tiles(plan, shape) * plan.splits();
        int places = side.rates.multiprocessors() / plan.tile().blocks();
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
        return Limit.of(seconds);
    }

    /// A matrix of brain floats that becomes floats of 8 bits, as it is and transposed.
    Limit quantize(int rows, int columns) {
        Side side = Side.WARPGROUPS;
        int square = Fp8Matrix.BLOCK;
        KernelCounts one = counted.computeIfAbsent(
                new Key(side, "quantize"),
                _ -> EmulatedBench.count(
                        StreamingBenchmarks.quantize(square, square).quern(), side.emulated));
        long squares = (long) Math.ceilDiv(rows, square) * Math.ceilDiv(columns, square);
        double bytes = StreamingBenchmarks.quantize(rows, columns).bytes();
        return Limit.of(one.plus(squares - 1, one).modelledSeconds(side.rates, bytes, 1));
    }

    /// Attention in the form that is chosen without a table.
    ///
    /// @param pass 0 forward, 1 backward
    /// @param bytes that must move through the device's memory
    Limit attention(Side side, Attention.Shape shape, int pass, double bytes) {
        return isFused(side, shape, pass)
                ? gradient(Gradient.FUSED, shape, bytes)
                : Limit.of(counts(side, shape, pass).modelledSeconds(side.rates, bytes, 1));
    }

    static boolean isFused(Side side, Attention.Shape shape, int pass) {
        return side == Side.WARPGROUPS && pass == 1 && Gradient.choose(side.device, shape) == Gradient.FUSED;
    }

    /// The gradient of attention by warpgroups, in a form.
    Limit gradient(Gradient form, Attention.Shape shape, double bytes) {
        Side side = Side.WARPGROUPS;
        return Limit.of(
                switch (form) {
                    case TWO_KERNELS -> counts(side, shape, 1).modelledSeconds(side.rates, bytes, 1);
                    case FUSED -> fused.seconds(shape, bytes);
                });
    }

    /// Of whole clusters.
    private static long tiles(ProductPlan plan, Shape shape) {
        return (long) Math.ceilDiv(shape.m(), plan.tile().blocks() * plan.tile().m())
                * Math.ceilDiv(shape.n(), plan.tile().n());
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
        int steps = plan.tile().stages() + 1;
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
            case WarpgroupMatMulPlan given -> new WarpgroupMatMulPlan(given.tile(), splits);
            case Fp8MatMul.Plan given -> new Fp8MatMul.Plan(given.tile(), splits);
        };
        Shape shape = product.shape();
        Product one = new Product(
                "",
                new Shape(
                        plan.tile().blocks() * plan.tile().m(),
                        plan.tile().n(),
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
