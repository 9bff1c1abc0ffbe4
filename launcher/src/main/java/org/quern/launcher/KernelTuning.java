package org.quern.launcher;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.quern.executor.KernelProvider;
import org.quern.executor.TunedPlans;
import org.quern.executor.TunedPlans.AttentionRow;
import org.quern.gpu.DeviceProperties;
import org.quern.kernels.bench.AttentionTraining;
import org.quern.kernels.bench.Product;
import org.quern.kernels.bench.ProductTuner;
import org.quern.kernels.bench.ProductTuner.Tuned;
import org.quern.kernels.bench.Timing;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.KernelDevice;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan;
import org.quern.kernels.cuda.ProductPlan;
import org.quern.kernels.cuda.WarpgroupAttention;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import org.quern.kernels.cuda.WarpgroupMatMul;
import org.quern.ptx.PtxTemplate;

/// Fills a device's table of plans, and prints its rows. The table is written after each.
final class KernelTuning {
    private final KernelDevice kernels;
    private final DeviceHeader header;
    private final ProductTuner tuner;
    private final Consumer<String> out;
    private final Consumer<Result> results;

    /// @param out takes lines of Markdown
    /// @param results takes what becomes of each product and attention, as it comes
    KernelTuning(
            KernelDevice kernels,
            DeviceHeader header,
            ProductTuner tuner,
            Consumer<String> out,
            Consumer<Result> results) {
        this.kernels = kernels;
        this.header = header;
        this.tuner = tuner;
        this.out = out;
        this.results = results;
    }

    /// What was found of a product, or of the gradient of an attention.
    ///
    /// @param product its name
    /// @param sizes of it, which other products may share
    /// @param best its row of the table; empty if no plan was right
    /// @param refusals why plans were left out, by their names
    record Result(
            String product,
            String sizes,
            KernelProvider provider,
            Optional<? extends Record> best,
            Map<String, String> refusals) {}

    /// A product by the kernels of a provider.
    private record Task(Product product, KernelProvider provider) {}

    /// Measures what the table does not have yet, products first.
    ///
    /// @param attentions whose gradients are timed, if the providers include warpgroups
    /// @param providers whose kernels are tuned, those that the device can run; the first of all products first
    /// @param limit nothing is begun after it
    /// @return whether all plans gave the right result
    boolean run(
            List<Product> products,
            List<AttentionTraining> attentions,
            List<KernelProvider> providers,
            Path file,
            Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        List<Task> tasks = tasks(products, providers);
        TunedPlans plans = begin(file);
        out.accept(header + "\n");
        out.accept("| product | kernels | fastest plan | time | spread | TFLOP/s | plan without a table |");
        out.accept("|---|---|---|--:|--:|--:|--:|");
        boolean right = true;
        int left = 0;
        for (int i = 0; i < tasks.size(); i++) {
            Task task = tasks.get(i);
            Optional<TunedPlans.Row> row = plans.row(task.provider, task.product.shape());
            if (row.isEmpty() && System.nanoTime() > end) {
                left++;
                continue;
            }
            Map<String, String> refusals = Map.of();
            if (row.isEmpty()) {
                Terminal.error()
                        .status("%s %d/%d  %s"
                                .formatted(
                                        ProgressDisplay.bar(i, tasks.size()), i + 1, tasks.size(), task.product.use()));
                Tuned tuned = tuner.tune(task.product, candidates(task));
                Terminal.error().status("");
                right &= tuned.refusals().isEmpty();
                tuned.refusals()
                        .forEach((plan, reason) -> Terminal.error()
                                .print("%s, %s: left out: %s".formatted(task.product.use(), plan, reason)));
                row = row(task, tuned);
                if (row.isPresent()) {
                    plans = plans.with(row.get(), header.date());
                    plans.write(file);
                }
                refusals = tuned.refusals();
            }
            results.accept(new Result(task.product.name(), task.product.sizes(), task.provider, row, refusals));
            row.ifPresent(found -> out.accept(line(task, found)));
        }
        if (providers.contains(KernelProvider.WARPGROUPS) && runsWarpgroups()) {
            left += attentions(attentions, plans, file, end);
        }
        out.accept("\ntable   " + file);
        if (left > 0) {
            out.accept("to do   %d products or gradients: the same command goes on with them".formatted(left));
        }
        return right;
    }

    /// @return how many were not begun
    private int attentions(List<AttentionTraining> attentions, TunedPlans plans, Path file, long end) {
        out.accept("\n| gradient of attention | fastest form | time | spread | TFLOP/s | the other form |");
        out.accept("|---|---|--:|--:|--:|--:|");
        int left = 0;
        for (AttentionTraining attention : attentions) {
            Optional<AttentionRow> row = plans.row(attention.shape());
            if (row.isEmpty() && System.nanoTime() > end) {
                left++;
                continue;
            }
            Map<String, String> refusals = new LinkedHashMap<>();
            if (row.isEmpty()) {
                row = row(
                        attention,
                        tuner.tune(attention, (form, reason) -> refusals.put(name(form), reason.getMessage())));
                refusals.forEach((form, reason) ->
                        Terminal.error().print("%s, %s: left out: %s".formatted(attention.backward(), form, reason)));
                if (row.isPresent()) {
                    plans = plans.with(row.get(), header.date());
                    plans.write(file);
                }
            }
            results.accept(
                    new Result(attention.backward(), attention.name(), KernelProvider.WARPGROUPS, row, refusals));
            row.ifPresent(found -> out.accept(line(attention, found)));
        }
        return left;
    }

    private static Optional<AttentionRow> row(AttentionTraining attention, Map<Gradient, Timing> times) {
        return times.entrySet().stream()
                .min(Comparator.comparingDouble(entry -> entry.getValue().median()))
                .map(best -> new AttentionRow(
                        attention.use(),
                        attention.shape(),
                        best.getKey(),
                        best.getValue().median(),
                        best.getValue().spread(),
                        times.entrySet().stream()
                                .filter(other -> other.getKey() != best.getKey())
                                .mapToDouble(other -> other.getValue().median())
                                .findAny()
                                .orElse(0)));
    }

    private static String name(Gradient form) {
        return form.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    private static String line(AttentionTraining attention, AttentionRow row) {
        return "| %s | %s | %s | %.1f %% | %s | %s |"
                .formatted(
                        attention.name(),
                        name(row.gradient()),
                        TimingTable.time(row.seconds()),
                        100 * row.spread(),
                        TimingTable.digits(attention.backwardFlop() / row.seconds() / 1e12),
                        slower(row.otherSeconds(), row.seconds()));
    }

    /// By how much something is slower than the fastest.
    private static String slower(double seconds, double fastest) {
        return seconds == 0 ? "did not run" : "%+.1f %%".formatted(100 * (seconds / fastest - 1));
    }

    private boolean runsWarpgroups() {
        DeviceProperties properties = kernels.gpu().properties();
        return WarpgroupMatMul.variants().stream().allMatch(variant -> LoadedKernels.runs(variant, properties));
    }

    /// Each shape once a provider.
    private List<Task> tasks(List<Product> products, List<KernelProvider> providers) {
        boolean warpgroups = runsWarpgroups();
        Set<Shape> seen = new HashSet<>();
        List<Product> shapes =
                products.stream().filter(product -> seen.add(product.shape())).toList();
        return providers.stream()
                .filter(provider -> !provider.needsWarpgroups() || warpgroups)
                .flatMap(provider -> shapes.stream()
                        .filter(product -> provider != KernelProvider.FP8 || product.mayBeInBytes())
                        .map(product -> new Task(product, provider)))
                .toList();
    }

    /// The table that is there, if it was measured with the same kernels and driver.
    private TunedPlans begin(Path file) {
        TunedPlans empty = new TunedPlans(
                header.device(),
                header.multiprocessors(),
                header.driver().orElse(""),
                header.quern(),
                header.date(),
                header.command(),
                hash(),
                List.of(),
                List.of());
        if (!Files.exists(file)) {
            return empty;
        }
        TunedPlans old = TunedPlans.read(file);
        boolean same = old.device().equals(empty.device())
                && old.multiprocessors() == empty.multiprocessors()
                && old.driver().equals(empty.driver())
                && old.kernels().equals(empty.kernels());
        if (!same) {
            Terminal.error()
                    .print("%s is of other kernels, or of another device or driver: all is measured anew"
                            .formatted(file));
        }
        return same ? old : empty;
    }

    /// A hash of all kernels that are tuned.
    private static String hash() {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            Stream.of(
                            MatMul.variants(),
                            WarpgroupMatMul.variants(),
                            Fp8MatMul.variants(),
                            WarpgroupAttention.variants())
                    .flatMap(List::stream)
                    .map(PtxTemplate::expand)
                    .forEach(text -> digest.update(text.getBytes(StandardCharsets.UTF_8)));
            return HexFormat.of().formatHex(digest.digest(), 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private List<? extends ProductPlan> candidates(Task task) {
        DeviceProperties properties = kernels.library().device();
        Shape shape = task.product.shape();
        return switch (task.provider) {
            case PTX -> MatMulPlan.candidates(properties, shape);
            case WARPGROUPS -> WarpgroupMatMul.Plan.candidates(properties, shape);
            case FP8 -> Fp8MatMul.Plan.candidates(properties, shape.m(), shape.n(), shape.k());
            case LIBRARY -> throw new IllegalArgumentException("cuBLAS chooses for itself");
        };
    }

    /// Of the fastest plan; empty if none is right.
    private Optional<TunedPlans.Row> row(Task task, Tuned tuned) {
        ProductPlan model = candidates(task).getFirst();
        return tuned.tried().stream()
                .findFirst()
                .map(best -> new TunedPlans.Row(
                        task.product.use(),
                        task.provider,
                        task.product.shape(),
                        best.plan().tileName(),
                        best.plan().splits(),
                        best.timing().median(),
                        best.timing().spread(),
                        tuned.tried().stream()
                                .filter(one -> one.plan().equals(model))
                                .findFirst()
                                .map(one -> one.timing().median())
                                .orElse(0.0),
                        tuned.tried().size()));
    }

    private static String line(Task task, TunedPlans.Row row) {
        return "| %s, %s | %s | %s, k in %d | %s | %.1f %% | %s | %s |"
                .formatted(
                        task.product.use(),
                        task.product.shape(),
                        row.provider().name().toLowerCase(Locale.ROOT),
                        row.tile(),
                        row.splits(),
                        TimingTable.time(row.seconds()),
                        100 * row.spread(),
                        TimingTable.digits(task.product.flop() / row.seconds() / 1e12),
                        slower(row.modelSeconds(), row.seconds()));
    }
}
