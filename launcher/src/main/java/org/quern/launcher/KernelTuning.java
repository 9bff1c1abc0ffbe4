package org.quern.launcher;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.quern.executor.KernelProvider;
import org.quern.executor.TunedPlans;
import org.quern.gpu.DeviceProperties;
import org.quern.kernels.bench.AttentionTraining;
import org.quern.kernels.bench.Product;
import org.quern.kernels.bench.ProductTuner;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.FusedAttentionGradient;
import org.quern.kernels.cuda.KernelDevice;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.WarpgroupAttention;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import org.quern.kernels.cuda.WarpgroupMatMul;
import org.quern.launcher.TuningTask.Found;
import org.quern.ptx.PtxTemplate;

/// Fills a device's table of plans, and prints its rows. The table is written after each.
final class KernelTuning {
    private final KernelDevice kernels;
    private final DeviceHeader header;
    private final ProductTuner tuner;
    private final Consumer<String> out;
    private final Consumer<Result> results;
    private TunedPlans plans;

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

    /// What can be tuned, what pays most first: the gradient of the first attention, then products, each shape once,
    /// by the first of the providers, then the other gradients, then products by the other providers.
    ///
    /// @param forms of gradients that may be taken
    static List<TuningTask<?>> tasks(
            List<Product> products,
            List<AttentionTraining> attentions,
            List<KernelProvider> providers,
            List<Gradient> forms) {
        Set<Shape> seen = new HashSet<>();
        List<Product> shapes =
                products.stream().filter(product -> seen.add(product.shape())).toList();
        List<TuningTask<?>> tasks = new ArrayList<>();
        for (KernelProvider provider : providers) {
            shapes.stream()
                    .filter(product -> provider != KernelProvider.FP8 || product.mayBeInBytes())
                    .forEach(product -> tasks.add(new ProductTuning(product, provider)));
            if (provider == KernelProvider.WARPGROUPS) {
                attentions.forEach(attention -> tasks.add(new GradientTuning(attention, forms)));
            }
        }
        tasks.stream().filter(GradientTuning.class::isInstance).findFirst().ifPresent(first -> {
            tasks.remove(first);
            tasks.addFirst(first);
        });
        return tasks;
    }

    /// Measures what the table does not have yet and the device can run.
    ///
    /// @param limit nothing is begun after it
    /// @return whether all plans gave the right result
    boolean run(List<TuningTask<?>> all, Path file, Duration limit) {
        boolean warpgroups =
                WarpgroupMatMul.variants().stream().allMatch(variant -> LoadedKernels.runs(variant, device()));
        List<TuningTask<?>> tasks = all.stream()
                .filter(task -> warpgroups || !task.provider().needsWarpgroups())
                .toList();
        long end = System.nanoTime() + limit.toNanos();
        plans = begin(file);
        out.accept(header + "\n");
        out.accept(TuningTask.HEAD);
        int left = 0;
        boolean right = true;
        for (int i = 0; i < tasks.size(); i++) {
            TuningTask<?> task = tasks.get(i);
            if (task.known(plans).isEmpty() && System.nanoTime() > end) {
                left++;
            } else {
                Terminal.error()
                        .status("%s %d/%d  %s"
                                .formatted(ProgressDisplay.bar(i, tasks.size()), i + 1, tasks.size(), task.name()));
                right &= take(task, file);
            }
        }
        Terminal.error().status("");
        out.accept("\ntable   " + file);
        if (left > 0) {
            out.accept("to do   %d: the same command goes on with them".formatted(left));
        }
        return right;
    }

    /// @return whether all plans gave the right result
    private <R extends Record> boolean take(TuningTask<R> task, Path file) {
        Found<R> found = task.known(plans)
                .map(row -> new Found<>(Optional.of(row), Map.of()))
                .orElseGet(() -> measure(task, file));
        results.accept(new Result(task.name(), task.sizes(), task.provider(), found.row(), found.refusals()));
        found.row().ifPresent(row -> out.accept(task.line(row, device())));
        return found.refusals().isEmpty();
    }

    private <R extends Record> Found<R> measure(TuningTask<R> task, Path file) {
        Found<R> found = task.measure(tuner, device());
        found.refusals()
                .forEach((plan, reason) ->
                        Terminal.error().print("%s, %s: left out: %s".formatted(task.name(), plan, reason)));
        found.row().ifPresent(row -> {
            plans = task.into(plans, row, header.date());
            plans.write(file);
        });
        return found;
    }

    private DeviceProperties device() {
        return kernels.library().device();
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
                            WarpgroupAttention.variants(),
                            FusedAttentionGradient.variants())
                    .flatMap(List::stream)
                    .map(PtxTemplate::expand)
                    .forEach(text -> digest.update(text.getBytes(StandardCharsets.UTF_8)));
            return HexFormat.of().formatHex(digest.digest(), 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
