package org.quern.launcher.bench.gpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.kernels.bench.ModelledTimes.Limit;
import org.quern.launcher.bench.gpu.Program.End;
import org.quern.launcher.bench.gpu.Program.Ending;
import tools.jackson.databind.JsonNode;

/// Takes the stages in turn, each within its share of the time, and keeps what each said as it comes.
///
/// PyTorch compiles in its own stage and not beside others: it would take cores from the threads that launch what is
/// timed. Only where nothing is timed, kernels' models are counted.
public final class GpuBench {
    private static final String JOURNAL = "results.jsonl";
    private static final String REPORT = "report.md";
    private static final String TUNED = "tuned.json";
    /// A stage's process is ended so long after the time at which it begins nothing more.
    private static final int GRACE_SECONDS = 8;
    /// Longer than PyTorch takes to start, and than any kernel or library for one row.
    private static final Duration SILENCE = Duration.ofSeconds(60);
    /// Of one stage; then the device is not worth more of it.
    private static final int MOST_LOSSES = 3;

    private static final double SECONDS = 0.2;
    private static final double TUNING_SECONDS = 0.1;

    /// What is measured where.
    ///
    /// @param device as in `--device`
    /// @param architecture of it: `sm_90`
    /// @param torch a Python with torch
    /// @param config of the training run
    /// @param tuned the table of plans that this device goes by
    /// @param benchmarks names of the rows, in their order
    /// @param products names of those to tune, in their order
    public record Settings(
            String device,
            String architecture,
            Optional<String> torch,
            Path config,
            Path tuned,
            List<String> benchmarks,
            List<String> products) {
        boolean hasWarpgroups() {
            return architecture.equals("sm_90");
        }
    }

    private final Settings settings;
    private final Path folder;
    private final Journal journal;
    private final GpuFigures figures;
    private final Program program;
    private final TimeBudget budget;
    private final LongSupplier clock;
    private final Function<String, Optional<Limit>> model;
    private final Consumer<String> say;
    private final Consumer<String> status;
    private final Map<String, Limit> modelled = new ConcurrentHashMap<>();

    /// @param folder for the journal and the report; what it has is not measured again
    /// @param head on what it is measured, as JSON
    /// @param total time for all stages
    /// @param clock nanoseconds
    /// @param model the limit of a kernel, by its name
    /// @param say told what each stage came to
    /// @param status told what happens meanwhile
    public GpuBench(
            Settings settings,
            Path folder,
            JsonNode head,
            Program program,
            Duration total,
            LongSupplier clock,
            Function<String, Optional<Limit>> model,
            Consumer<String> say,
            Consumer<String> status) {
        this.say = say;
        this.settings = settings;
        this.folder = folder;
        this.program = program;
        this.clock = clock;
        this.model = model;
        this.status = status;
        budget = new TimeBudget(total, clock);
        journal = new Journal(folder.resolve(JOURNAL), head);
        figures = new GpuFigures(journal);
    }

    /// Where the report is.
    public Path report() {
        return folder.resolve(REPORT);
    }

    /// Takes all stages that are not done.
    ///
    /// @return whether all kernels that were run are right and no stage failed
    public boolean run() {
        bringTable();
        AtomicBoolean timing = new AtomicBoolean();
        Thread counting = Thread.ofPlatform().daemon().name("models").start(() -> count(timing::get));
        boolean failed = false;
        List<Stage> stages = List.of(Stage.values());
        for (Stage stage : stages) {
            if (stage == Stage.TUNE) {
                timing.set(true);
                join(counting);
            }
            if (!journal.isDone(stage)) {
                failed |= take(stage, stages.subList(stage.ordinal() + 1, stages.size()));
                write();
            }
            say.accept("%s: %s; %d s are left"
                    .formatted(
                            stage.key(),
                            journal.last(stage, "end").orElse(""),
                            budget.left().toSeconds()));
        }
        count(() -> budget.left().toSeconds() < 1);
        write();
        return !failed
                && figures.wrongFamilies().isEmpty()
                && figures.refusedPlans().isEmpty();
    }

    /// The limits of kernels that may need an explanation, until it is enough.
    private void count(BooleanSupplier enough) {
        for (String name : settings.benchmarks()) {
            if (enough.getAsBoolean()) {
                return;
            }
            if (!modelled.containsKey(name)) {
                model.apply(name).ifPresent(limit -> modelled.put(name, limit));
            }
        }
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private void write() {
        GpuReport.write(report(), journal, modelled);
    }

    /// @return whether it failed
    private boolean take(Stage stage, List<Stage> later) {
        Optional<String> excuse = excuse(stage);
        if (excuse.isPresent()) {
            journal.end(stage, "left out: " + excuse.get(), 0);
            return false;
        }
        Optional<Duration> share = budget.share(stage, later);
        if (share.isEmpty()) {
            journal.end(
                    stage,
                    "left out: it needs %d s, and %d are left"
                            .formatted(stage.least(), budget.left().toSeconds()),
                    0);
            return false;
        }
        long begin = clock.getAsLong();
        Run run = new Run(stage, begin + share.get().toNanos());
        Optional<String> trouble = switch (stage) {
            case ASSEMBLE -> run.once(List.of("kernels", "list", "--arch", settings.architecture()));
            case CHECK -> run.check();
            case TUNE -> run.all(rows(stage), line -> line.path("product").asString(""), run::tune);
            case PRODUCTS, ATTENTION, MEMORY ->
                run.all(rows(stage), line -> line.path("name").asString(""), run::benchmark);
            case TRAINING, PROGRAMMATIC, FP8 -> run.once(training(stage));
        };
        double seconds = (clock.getAsLong() - begin) / 1e9;
        trouble.ifPresentOrElse(how -> journal.end(stage, how, seconds), () -> journal.done(stage, seconds));
        bringTable();
        return trouble.filter(how -> how.startsWith(Run.FAILED)).isPresent();
    }

    /// Why a stage says nothing here.
    private Optional<String> excuse(Stage stage) {
        if (stage == Stage.ASSEMBLE || stage == Stage.CHECK) {
            return Optional.empty();
        }
        if (!figures.probesAreRight()) {
            return Optional.of("single instructions were not found to do what the kernels count on");
        }
        boolean needsWarpgroups = stage == Stage.FP8 || stage == Stage.PROGRAMMATIC;
        if (needsWarpgroups && !settings.hasWarpgroups()) {
            return Optional.of("it needs compute capability 9.0");
        }
        if (Set.of(Stage.TRAINING, Stage.FP8, Stage.PROGRAMMATIC).contains(stage)) {
            Set<String> wrong = new HashSet<>(figures.wrongFamilies());
            String provider = provider(stage);
            wrong.removeIf(family -> provider.equals("ptx") && (family.startsWith("warpgroup") || family.equals("fp8"))
                    || provider.equals("warpgroups") && family.equals("fp8"));
            wrong.removeAll(Set.of("sampling", "approximation"));
            return wrong.isEmpty() ? Optional.empty() : Optional.of("kernels are wrong: " + String.join(", ", wrong));
        }
        return Optional.empty();
    }

    /// The fastest kernels that are right.
    private String provider(Stage stage) {
        if (stage == Stage.FP8) {
            return "fp8";
        }
        boolean right = figures.wrongFamilies().stream().noneMatch(family -> family.startsWith("warpgroup"));
        return stage == Stage.PROGRAMMATIC || settings.hasWarpgroups() && right ? "warpgroups" : "ptx";
    }

    private List<String> training(Stage stage) {
        List<String> arguments = new ArrayList<>(List.of(
                "bench",
                "train",
                settings.config().toString(),
                "--device",
                settings.device(),
                "--set",
                "kernels.provider=" + provider(stage),
                "--json"));
        switch (stage) {
            case TRAINING -> {
                arguments.addAll(List.of("--steps", "12", "--warm-up", "5", "--profile"));
                settings.torch().ifPresent(python -> arguments.addAll(List.of("--torch", python)));
            }
            case PROGRAMMATIC ->
                arguments.addAll(List.of("--set", "kernels.programmatic=true", "--steps", "9", "--warm-up", "3"));
            default -> arguments.addAll(List.of("--steps", "12", "--warm-up", "5", "--profile"));
        }
        return arguments;
    }

    /// What a stage has to say something about.
    private List<String> rows(Stage stage) {
        if (stage == Stage.TUNE) {
            return settings.products();
        }
        boolean attention = stage == Stage.ATTENTION;
        return settings.benchmarks().stream()
                .filter(name -> stage == Stage.PRODUCTS
                        ? name.startsWith("matmul")
                        : attention == isTrainedAttention(name) && !name.startsWith("matmul"))
                .toList();
    }

    private static boolean isTrainedAttention(String name) {
        return name.startsWith("attention") && !name.contains("decode");
    }

    /// The table of plans is in the folder, too, so that it comes along where a machine's cache does not.
    private void bringTable() {
        Path copy = folder.resolve(TUNED);
        try {
            if (Files.exists(settings.tuned())) {
                Files.copy(settings.tuned(), copy, StandardCopyOption.REPLACE_EXISTING);
            } else if (Files.exists(copy)) {
                Files.createDirectories(settings.tuned().toAbsolutePath().getParent());
                Files.copy(copy, settings.tuned());
            }
        } catch (IOException e) {
            throw QuernException.io("%s cannot be copied".formatted(copy), e);
        }
    }

    /// One stage under way.
    private final class Run {
        static final String FAILED = "failed: ";

        private final Stage stage;
        private final long end;

        Run(Stage stage, long end) {
            this.stage = stage;
            this.end = end;
        }

        private Duration left() {
            return Duration.ofNanos(Math.max(0, end - clock.getAsLong()));
        }

        /// Until when something may begin.
        private long seconds() {
            return Math.max(1, left().toSeconds() - GRACE_SECONDS);
        }

        private Ending start(List<String> arguments, Duration silence) {
            journal.begin(stage, "quern " + String.join(" ", arguments));
            status.accept("%s: %d s".formatted(stage.key(), left().toSeconds()));
            return program.run(arguments, left(), silence, line -> {
                journal.line(stage, line);
                status.accept("%s: %d rows, %d s left"
                        .formatted(stage.key(), journal.lines(stage).size(), left().toSeconds()));
                write();
            });
        }

        /// @return what is not as it should be
        Optional<String> once(List<String> arguments) {
            Ending ending = start(arguments, left());
            return ending.failed() || ending.end() == End.TIME_OVER
                    ? Optional.of((ending.failed() ? FAILED : "") + ending.reason())
                    : Optional.empty();
        }

        Optional<String> check() {
            Ending ending = start(
                    List.of(
                            "kernels",
                            "check",
                            "--device",
                            settings.device(),
                            "--time-limit",
                            "" + seconds(),
                            "--json"),
                    left());
            int wrong = figures.wrong().size();
            if (wrong > 0) {
                return Optional.of(FAILED + "%d cases are wrong".formatted(wrong));
            }
            return ending.failed()
                    ? Optional.of(FAILED + ending.reason())
                    : figures.right() == 0 ? Optional.of(FAILED + "no case came to its end") : Optional.empty();
        }

        /// Until all rows are there. One during which the process ends, or says nothing for long, is lost, and
        /// another
        /// process goes on with the next.
        Optional<String> all(
                List<String> rows, Function<JsonNode, String> name, Function<Set<String>, List<String>> arguments) {
            while (true) {
                Set<String> over = new HashSet<>(journal.losses(stage).keySet());
                journal.lines(stage).forEach(line -> over.add(name.apply(line)));
                long before = rows.stream().filter(over::contains).count();
                if (before == rows.size()) {
                    return Optional.empty();
                }
                if (left().toSeconds() <= GRACE_SECONDS) {
                    return Optional.of("the time was over: %d of %d rows".formatted(before, rows.size()));
                }
                int lines = journal.lines(stage).size();
                Ending ending = start(arguments.apply(over), SILENCE);
                boolean begun = journal.lines(stage).size() > lines;
                journal.lines(stage).forEach(line -> over.add(name.apply(line)));
                Optional<String> next =
                        rows.stream().filter(row -> !over.contains(row)).findFirst();
                long now = rows.stream().filter(over::contains).count();
                // A tuner that left plans out says so at its end.
                boolean leftOut = stage == Stage.TUNE && ending.code() == ExitCode.INTERNAL.code();
                if (!ending.failed() || leftOut) {
                    return next.map(_ -> "%s: %d of %d rows"
                            .formatted(leftOut ? ending.reason() : "the time was over", now, rows.size()));
                }
                if (!begun || next.isEmpty()) {
                    return Optional.of(FAILED + ending.reason());
                }
                journal.lost(stage, next.get(), ending.reason());
                if (journal.losses(stage).size() >= MOST_LOSSES) {
                    return Optional.of(FAILED + "%d rows were lost".formatted(MOST_LOSSES));
                }
            }
        }

        List<String> tune(Set<String> over) {
            List<String> arguments = new ArrayList<>(List.of(
                    "kernels",
                    "tune",
                    "--device",
                    settings.device(),
                    "--provider",
                    provider(stage),
                    "--minutes",
                    "%.2f".formatted(seconds() / 60.0),
                    "--seconds",
                    "" + TUNING_SECONDS,
                    "--json"));
            if (provider(stage).equals("warpgroups") && !figures.wrongFamilies().contains("fp8")) {
                arguments.addAll(List.of("--provider", "fp8"));
            }
            except(over, arguments);
            return arguments;
        }

        List<String> benchmark(Set<String> over) {
            List<String> arguments = new ArrayList<>(List.of(
                    "bench",
                    "kernels",
                    "--device",
                    settings.device(),
                    "--seconds",
                    "" + SECONDS,
                    "--time-limit",
                    "" + seconds(),
                    "--json"));
            settings.torch().ifPresent(python -> arguments.addAll(List.of("--torch", python)));
            wrongWays().forEach(way -> arguments.addAll(List.of("--without", way)));
            switch (stage) {
                case PRODUCTS -> arguments.addAll(List.of("--only", "matmul"));
                case ATTENTION -> arguments.addAll(List.of("--only", "attention", "--except", "decode"));
                default ->
                    Stream.of("matmul", "attention forward", "attention backward")
                            .forEach(other -> arguments.addAll(List.of("--except", other)));
            }
            except(over, arguments);
            return arguments;
        }

        /// Of the stage's family; the others have kernels of one kind only.
        private Set<String> wrongWays() {
            return switch (stage) {
                case PRODUCTS -> figures.wrongWays("matmul");
                case ATTENTION -> figures.wrongWays("attention");
                default -> Set.of();
            };
        }

        private void except(Set<String> over, List<String> arguments) {
            rows(stage).stream()
                    .filter(over::contains)
                    .forEach(name -> arguments.addAll(List.of("--except", "=" + name)));
        }
    }
}
