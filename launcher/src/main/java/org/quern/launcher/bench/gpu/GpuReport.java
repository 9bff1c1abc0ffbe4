package org.quern.launcher.bench.gpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.quern.base.QuernException;
import org.quern.kernels.bench.Ceilings;
import org.quern.kernels.bench.KernelBenchmark;
import org.quern.kernels.bench.ModelledTimes.Limit;
import org.quern.kernels.bench.Timing;
import org.quern.launcher.bench.gpu.GpuFigures.Trained;
import org.quern.launcher.bench.gpu.GpuFigures.Wrong;
import org.quern.launcher.bench.gpu.Targets.Goal;
import org.quern.launcher.bench.gpu.Targets.Miss;

/// A journal as Markdown, to be pasted into a page of benchmarks.
final class GpuReport {
    private static final int SHOWN = 40;

    private final Journal journal;
    private final GpuFigures figures;
    private final Map<String, Map<String, Limit>> modelled;
    private final StringBuilder text = new StringBuilder();

    /// @param modelled limits of kernels, by their names, as far as they are known
    private GpuReport(Journal journal, Map<String, Map<String, Limit>> modelled) {
        this.journal = journal;
        this.modelled = modelled;
        figures = new GpuFigures(journal);
    }

    /// Writes it; a reader sees the old one or the new one.
    static void write(Path file, Journal journal, Map<String, Map<String, Limit>> modelled) {
        Path part = file.resolveSibling(file.getFileName() + ".part");
        try {
            Files.writeString(part, of(journal, modelled));
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw QuernException.io("%s cannot be written".formatted(file), e);
        }
    }

    static String of(Journal journal, Map<String, Map<String, Limit>> modelled) {
        GpuReport report = new GpuReport(journal, modelled);
        report.head();
        report.stages();
        Targets targets = Targets.of(report.figures);
        report.goals(targets.goals());
        report.wrong();
        report.misses(targets.misses());
        report.kernels("Matrix products", Stage.PRODUCTS);
        report.kernels("Attention", Stage.ATTENTION);
        report.kernels("Bound by memory", Stage.MEMORY);
        report.training();
        return report.text.toString();
    }

    private void line(String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values)).append('\n');
    }

    private void head() {
        line(
                "### %s, %s",
                journal.head().at("/run/device").asString("a GPU"),
                journal.head().at("/run/date").asString(""));
        line("");
        line("%s", journal.head().path("head").asString(""));
        line("%n    %s", versions());
    }

    private String versions() {
        List<Stage> stages = List.of(Stage.PRODUCTS, Stage.ATTENTION, Stage.MEMORY);
        return stages.stream()
                .flatMap(stage -> figures.last(stage, "torch").stream())
                .findFirst()
                .map(version -> "PyTorch %s; flash and cuDNN are its kernels, and its products those of cuBLAS"
                        .formatted(version.asString("")))
                .orElse(
                        stages.stream()
                                        .anyMatch(
                                                stage -> figures.ceilings(stage).isPresent())
                                ? "nobody was compared: PyTorch did not start, as log.txt says"
                                : "nothing was timed");
    }

    private void stages() {
        line("");
        line("| stage | command | seconds | end |");
        line("|---|---|--:|---|");
        for (Stage stage : Stage.values()) {
            Optional<String> end = journal.last(stage, "end");
            journal.last(stage, "command")
                    .or(() -> end.map(_ -> ""))
                    .ifPresent(command -> line(
                            "| %s | %s | %.0f | %s |",
                            stage.key(),
                            command.isEmpty() ? "" : "`" + cell(command) + "`",
                            journal.seconds(stage),
                            cell(end.orElse("under way"))));
        }
    }

    private void goals(List<Goal> goals) {
        line("");
        line("| target | | reached | |");
        line("|---|--:|---|---|");
        goals.forEach(goal -> line(
                "| %s | %s | %s | %s |",
                goal.what(),
                goal.target(),
                goal.reached().isEmpty() ? "not measured" : goal.reached(),
                goal.reached().isEmpty() ? "" : goal.met() ? "met" : "**missed**"));
    }

    private void wrong() {
        line("");
        List<Wrong> wrong = figures.wrong();
        line("%,d cases of the check are right, %d are wrong.", figures.right(), wrong.size());
        if (!wrong.isEmpty()) {
            line("Times of these kernels are left out: %s.", String.join(", ", figures.wrongFamilies()));
            line("");
            wrong.stream().limit(SHOWN).forEach(one -> line("- %s: %s", cell(one.name()), cell(one.message())));
        }
        Map<String, List<String>> plans = figures.refusedPlans();
        if (!plans.isEmpty()) {
            line("%nPlans of products that are left out:%n");
            plans.entrySet().stream()
                    .limit(SHOWN)
                    .forEach(one -> line(
                            "- %s: %s%s",
                            cell(one.getKey()),
                            cell(one.getValue().getFirst()),
                            one.getValue().size() == 1
                                    ? ""
                                    : ", and %d others".formatted(one.getValue().size() - 1)));
        }
        for (Stage stage : Stage.values()) {
            journal.losses(stage).forEach((what, reason) -> line("%n%s was lost: %s.", cell(what), cell(reason)));
        }
    }

    private void misses(List<Miss> misses) {
        if (misses.isEmpty()) {
            return;
        }
        line("%n#### Misses%n");
        line(
                "Kernels that are slower than their targets ask, the worst first, with what explains it: which part of this run's");
        line(
                "ceilings they reach, and the least time that the model of the kernel (`kernels/KERNELS.md`) knows for an H100, with");
        line(
                "what limits it there. A time far above the model's is the kernel's own; one near it asks for another kernel.%n");
        line(
                "| kernel | by | of its target | TFLOP/s | GB/s | of the ceiling | the model's limit | measured / modelled |");
        line("|---|---|--:|--:|--:|--:|---|--:|");
        for (Miss miss : misses) {
            TimedKernel kernel = miss.kernel();
            Map.Entry<String, Timing> ours = kernel.ours().orElseThrow();
            double seconds = ours.getValue().median();
            Optional<Limit> limit = Optional.ofNullable(
                    modelled.getOrDefault(kernel.name(), Map.of()).get(ours.getKey()));
            line(
                    "| %s | %s | %.2f | %s | %s | %s | %s | %s |",
                    kernel.name(),
                    ours.getKey(),
                    miss.part(),
                    kernel.flop() == 0 ? "" : rate(kernel.flopPerSecond(), 1e12),
                    rate(kernel.bytesPerSecond(), 1e9),
                    ceiling(kernel, seconds, miss.ceilings()),
                    limit.map(one -> "%s, %s".formatted(one.part(), time(one.seconds())))
                            .orElse(""),
                    limit.map(one -> "%.2f".formatted(seconds / one.seconds())).orElse(""));
        }
    }

    private void kernels(String title, Stage stage) {
        Collection<TimedKernel> kernels = figures.kernels(stage);
        if (kernels.isEmpty()) {
            return;
        }
        line("%n#### %s%n", title);
        Optional<Ceilings> ceilings = figures.ceilings(stage);
        ceilings.ifPresent(one -> line(
                "Ceilings: %.0f GB/s copied, %.0f TFLOP/s multiplied by %s. Speed: their time over Quern's fastest.%n",
                one.bytesPerSecond() / 1e9, one.flopPerSecond() / 1e12, one.product()));
        line("| kernel | by | time | spread | TFLOP/s | GB/s | of the ceiling | speed | others of ours |");
        line("|---|---|--:|--:|--:|--:|--:|---|---|");
        for (TimedKernel kernel : kernels) {
            Optional<Map.Entry<String, Timing>> ours = kernel.ours();
            line(
                    "| %s | %s | %s | %s | %s | %s | %s | %s | %s |",
                    kernel.name(),
                    ours.map(Map.Entry::getKey).orElse(""),
                    ours.map(one -> time(one.getValue().median())).orElse(""),
                    ours.map(one -> "%.1f %%".formatted(100 * one.getValue().spread()))
                            .orElse(""),
                    kernel.flop() == 0 ? "" : rate(kernel.flopPerSecond(), 1e12),
                    rate(kernel.bytesPerSecond(), 1e9),
                    ours.flatMap(one -> ceilings.map(
                                    each -> ceiling(kernel, one.getValue().median(), each)))
                            .orElse(""),
                    speeds(kernel, ours),
                    others(kernel, ours));
        }
        refusals(kernels);
    }

    /// Each reason once, with how many rows it is about.
    private void refusals(Collection<TimedKernel> kernels) {
        Map<String, Long> reasons = kernels.stream()
                .flatMap(kernel -> kernel.refusals().entrySet().stream())
                .collect(Collectors.groupingBy(
                        one -> one.getKey() + ": " + one.getValue(), TreeMap::new, Collectors.counting()));
        if (!reasons.isEmpty()) {
            line("%nWho has no time:%n");
            reasons.forEach((reason, count) -> line("- %s (%d rows)", cell(reason), count));
        }
    }

    private static String speeds(TimedKernel kernel, Optional<Map.Entry<String, Timing>> ours) {
        return kernel.times().entrySet().stream()
                .filter(one -> !TimedKernel.isOurs(one.getKey()))
                .map(one -> ours.map(own -> "%.2f "
                                        .formatted(one.getValue().median()
                                                / own.getValue().median()))
                                .orElse(time(one.getValue().median()) + " ")
                        + one.getKey())
                .collect(Collectors.joining(", "));
    }

    private static String others(TimedKernel kernel, Optional<Map.Entry<String, Timing>> ours) {
        return kernel.times().entrySet().stream()
                .filter(one -> TimedKernel.isOurs(one.getKey())
                        && ours.filter(own -> own.getKey().equals(one.getKey())).isEmpty())
                .map(one -> one.getKey() + " " + time(one.getValue().median()))
                .collect(Collectors.joining(", "));
    }

    private void training() {
        if (Stream.of(Stage.values()).allMatch(stage -> figures.trained(stage).isEmpty())) {
            return;
        }
        line("%n#### Training%n");
        line("| | stage | tokens/s (slowest to fastest step) | memory | |");
        line("|---|---|--:|--:|---|");
        for (Stage stage : List.of(Stage.TRAINING, Stage.PROGRAMMATIC, Stage.FP8)) {
            for (Trained row : figures.trained(stage)) {
                line(
                        "| %s | %s | %s | %s | %s |",
                        row.who(),
                        row.who().equals(KernelBenchmark.QUERN) ? stage.key() : "",
                        row.tokensPerSecond() == 0
                                ? ""
                                : "%,.0f (%,.0f to %,.0f)".formatted(row.tokensPerSecond(), row.least(), row.most()),
                        row.memory(),
                        row.error().isEmpty() ? "" : "failed: " + cell(row.error()));
            }
        }
        for (Stage stage : List.of(Stage.TRAINING, Stage.FP8)) {
            figures.last(stage, "profile")
                    .ifPresent(profile -> line("%nQuern, %s:%n%n```%n%s```", stage.key(), profile.asString("")));
        }
    }

    private static String ceiling(TimedKernel kernel, double seconds, Ceilings ceilings) {
        double arithmetic = kernel.flop() / ceilings.flopPerSecond();
        double memory = kernel.bytes() / ceilings.bytesPerSecond();
        return "%.0f %% %s"
                .formatted(100 * Math.max(arithmetic, memory) / seconds, arithmetic > memory ? "arithmetic" : "memory");
    }

    private static String rate(Optional<Double> perSecond, double unit) {
        return perSecond
                .filter(value -> value > 0)
                .map(value -> "%.0f".formatted(value / unit))
                .orElse("");
    }

    private static String time(double seconds) {
        return String.format(
                Locale.ROOT, seconds < 1e-3 ? "%.1f us" : "%.3f ms", seconds < 1e-3 ? 1e6 * seconds : 1e3 * seconds);
    }

    /// In one cell of a table.
    private static String cell(String text) {
        String line = text.strip().replaceAll("\\s+", " ").replace("|", "/");
        return line.length() <= 300 ? line : line.substring(0, 300) + " ...";
    }
}
