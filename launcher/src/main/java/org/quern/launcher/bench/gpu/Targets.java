package org.quern.launcher.bench.gpu;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import org.quern.kernels.bench.Ceilings;
import org.quern.kernels.bench.KernelBenchmark;
import org.quern.launcher.bench.gpu.GpuFigures.Trained;

/// What the figures are to reach, and whether they do.
///
/// @param goals each with what was reached
/// @param misses kernels that are slower than they should be, the worst first
record Targets(List<Goal> goals, List<Miss> misses) {
    private static final double PRODUCTS = 1.0;
    private static final double LARGEST = 1.05;
    private static final double LARGEST_FLOP = 780e12;
    private static final double ATTENTION = 1.0;
    private static final double COPY_PART = 0.9;
    private static final double TRAINING = 1.3;
    private static final double TOKENS = 550_000;

    private static final String LARGEST_NAME = "square, nt 8192";
    /// Squares that are no size of training and smaller than what the targets name.
    private static final List<String> BESIDE = List.of("square, nt 1024", "square, nt 2048");

    /// A target.
    ///
    /// @param reached for people; empty if it was not measured
    record Goal(String what, String target, String reached, boolean met) {}

    /// A kernel that misses its target.
    ///
    /// @param part of the target that it reaches
    record Miss(TimedKernel kernel, double part, Ceilings ceilings) {}

    static Targets of(GpuFigures figures) {
        List<Goal> goals = new ArrayList<>();
        List<Miss> misses = new ArrayList<>();
        products(figures, goals, misses);
        attention(figures, goals, misses);
        memory(figures, goals, misses);
        training(figures, goals);
        misses.sort(Comparator.comparingDouble(Miss::part));
        return new Targets(goals, misses);
    }

    private static void products(GpuFigures figures, List<Goal> goals, List<Miss> misses) {
        List<TimedKernel> products = figures.kernels(Stage.PRODUCTS).stream()
                .filter(kernel -> BESIDE.stream().noneMatch(kernel.name()::contains))
                .toList();
        mean("products against cuBLAS, geometric mean", PRODUCTS, products, goals);
        Optional<TimedKernel> largest = products.stream()
                .filter(kernel -> kernel.name().contains(LARGEST_NAME))
                .findFirst();
        goals.add(goal(
                "the product of 8192 x 8192 x 8192 against cuBLAS",
                LARGEST,
                "%.2fx",
                largest.flatMap(TimedKernel::speed)));
        goals.add(goal(
                "TFLOP/s of that product",
                LARGEST_FLOP / 1e12,
                "%.0f",
                largest.flatMap(TimedKernel::flopPerSecond).map(flop -> flop / 1e12)));
        figures.ceilings(Stage.PRODUCTS)
                .ifPresent(ceilings -> products.forEach(kernel -> slower(kernel, PRODUCTS, ceilings, misses)));
    }

    private static void attention(GpuFigures figures, List<Goal> goals, List<Miss> misses) {
        for (String pass : List.of("forward", "backward")) {
            List<TimedKernel> kernels = figures.kernels(Stage.ATTENTION).stream()
                    .filter(kernel -> kernel.name().contains(pass))
                    .toList();
            mean(
                    "attention %s against the better of cuDNN and flash, geometric mean".formatted(pass),
                    ATTENTION,
                    kernels,
                    goals);
            figures.ceilings(Stage.ATTENTION)
                    .ifPresent(ceilings -> kernels.forEach(kernel -> slower(kernel, ATTENTION, ceilings, misses)));
        }
    }

    private static void memory(GpuFigures figures, List<Goal> goals, List<Miss> misses) {
        Optional<Ceilings> ceilings = figures.ceilings(Stage.MEMORY);
        List<TimedKernel> kernels = figures.kernels(Stage.MEMORY).stream()
                .filter(kernel -> kernel.flop() == 0 && !kernel.family().equals("sampling"))
                .filter(kernel -> kernel.bytesPerSecond().isPresent())
                .toList();
        if (ceilings.isEmpty() || kernels.isEmpty()) {
            goals.add(goal(
                    "memory-bound kernels, the slowest, of the copy's bandwidth", COPY_PART, "%.2f", Optional.empty()));
            return;
        }
        double copy = ceilings.get().bytesPerSecond();
        for (TimedKernel kernel : kernels) {
            double part = kernel.bytesPerSecond().orElseThrow() / copy;
            if (part < COPY_PART) {
                misses.add(new Miss(kernel, part / COPY_PART, ceilings.get()));
            }
        }
        long met = kernels.stream()
                .filter(kernel -> kernel.bytesPerSecond().orElseThrow() >= COPY_PART * copy)
                .count();
        double least = kernels.stream()
                .mapToDouble(kernel -> kernel.bytesPerSecond().orElseThrow() / copy)
                .min()
                .orElseThrow();
        goals.add(new Goal(
                "memory-bound kernels, the slowest, of the copy's bandwidth",
                ">= %.2f".formatted(COPY_PART),
                "%.2f; %d of %d reach it".formatted(least, met, kernels.size()),
                least >= COPY_PART));
    }

    private static void training(GpuFigures figures, List<Goal> goals) {
        Optional<Double> best = Stream.of(Stage.TRAINING, Stage.PROGRAMMATIC)
                .flatMap(stage -> figures.trained(stage).stream())
                .filter(row -> row.who().equals(KernelBenchmark.QUERN) && row.tokensPerSecond() > 0)
                .map(Trained::tokensPerSecond)
                .max(Comparator.naturalOrder());
        Optional<Double> compiled = figures.trained(Stage.TRAINING).stream()
                .filter(row -> row.who().endsWith("compiled") && row.tokensPerSecond() > 0)
                .map(Trained::tokensPerSecond)
                .reduce((_, next) -> next);
        goals.add(goal(
                "training in bf16 against torch.compile",
                TRAINING,
                "%.2fx",
                best.flatMap(own -> compiled.map(other -> own / other))));
        goals.add(goal("tokens/s of training in bf16", TOKENS, "%,.0f", best));
    }

    private static void mean(String what, double target, List<TimedKernel> kernels, List<Goal> goals) {
        List<Double> speeds = kernels.stream()
                .map(TimedKernel::speed)
                .flatMap(Optional::stream)
                .toList();
        if (speeds.isEmpty()) {
            goals.add(goal(what, target, "%.2fx", Optional.empty()));
            return;
        }
        double mean = Math.exp(speeds.stream().mapToDouble(Math::log).average().orElseThrow());
        long met = speeds.stream().filter(speed -> speed >= target).count();
        goals.add(new Goal(
                what,
                ">= %.2fx".formatted(target),
                "%.2fx of %d; %d reach it alone, the slowest is at %.2fx"
                        .formatted(
                                mean,
                                speeds.size(),
                                met,
                                speeds.stream().min(Double::compare).orElseThrow()),
                mean >= target));
    }

    private static Goal goal(String what, double target, String format, Optional<Double> reached) {
        return new Goal(
                what,
                ">= " + String.format(Locale.ROOT, format, target),
                reached.map(value -> String.format(Locale.ROOT, format, value)).orElse(""),
                reached.filter(value -> value >= target).isPresent());
    }

    private static void slower(TimedKernel kernel, double target, Ceilings ceilings, List<Miss> misses) {
        kernel.speed()
                .filter(speed -> speed < target)
                .ifPresent(speed -> misses.add(new Miss(kernel, speed / target, ceilings)));
    }
}
