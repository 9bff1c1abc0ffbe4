package org.quern.launcher.bench.gpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.quern.base.QuernException;
import org.quern.kernels.bench.ModelledTimes.Limit;
import org.quern.launcher.bench.gpu.StageRun.Outcome;
import tools.jackson.databind.JsonNode;

/// Takes the stages in turn, each within its share of the time, and keeps what each said as it comes.
///
/// PyTorch compiles in its own stage and not beside others: it would take cores from the threads that launch what is
/// timed. Only where nothing is timed, kernels' models are counted.
public final class GpuBench {
    private static final String JOURNAL = "results.jsonl";
    private static final String REPORT = "report.md";
    private static final String TUNED = "tuned.json";

    private final Settings settings;
    private final Path folder;
    private final Journal journal;
    private final GpuFigures figures;
    private final StageCommands commands;
    private final Program program;
    private final TimeBudget budget;
    private final LongSupplier clock;
    private final Models models;
    private final Consumer<String> say;
    private final Consumer<String> status;

    /// @param folder for the journal and the report; what it has is not measured again
    /// @param head on what it is measured, as JSON
    /// @param total time for all stages
    /// @param clock nanoseconds
    /// @param model limits of a kernel, by who runs it
    /// @param say told what each stage came to
    /// @param status told what happens meanwhile
    public GpuBench(
            Settings settings,
            Path folder,
            JsonNode head,
            Program program,
            Duration total,
            LongSupplier clock,
            Function<String, Map<String, Limit>> model,
            Consumer<String> say,
            Consumer<String> status) {
        this.settings = settings;
        this.folder = folder;
        this.program = program;
        this.clock = clock;
        this.say = say;
        this.status = status;
        budget = new TimeBudget(total, clock);
        models = new Models(settings.benchmarks(), model);
        journal = new Journal(folder.resolve(JOURNAL), head);
        figures = new GpuFigures(journal);
        commands = new StageCommands(settings, figures);
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
        models.start();
        boolean failed = false;
        List<Stage> stages = List.of(Stage.values());
        for (Stage stage : stages) {
            if (stage == Stage.TUNE) {
                models.pause();
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
        models.finish(budget.left());
        write();
        return !failed
                && figures.wrongFamilies().isEmpty()
                && figures.refusedPlans().isEmpty();
    }

    private void write() {
        GpuReport.write(report(), journal, models.limits());
    }

    /// @return whether it failed
    private boolean take(Stage stage, List<Stage> later) {
        Optional<String> excuse = commands.excuse(stage);
        Optional<Duration> share = budget.share(stage, later);
        if (excuse.isPresent() || share.isEmpty()) {
            journal.end(
                    stage,
                    "left out: "
                            + excuse.orElseGet(() -> "it needs %d s, and %d are left"
                                    .formatted(stage.least(), budget.left().toSeconds())),
                    0);
            return false;
        }
        long begin = clock.getAsLong();
        Outcome outcome = new StageRun(
                        stage,
                        commands,
                        journal,
                        program,
                        clock,
                        begin + share.get().toNanos(),
                        line -> {
                            status.accept(line);
                            write();
                        })
                .run();
        double seconds = (clock.getAsLong() - begin) / 1e9;
        if (outcome.isDone()) {
            journal.done(stage, seconds);
        } else {
            journal.end(stage, outcome.trouble(), seconds);
        }
        bringTable();
        return outcome.failed();
    }

    /// The table of plans is in the folder, too, so that it comes along where a machine's cache does not.
    private void bringTable() {
        Path copy = folder.resolve(TUNED);
        try {
            if (Files.exists(settings.table())) {
                Files.copy(settings.table(), copy, StandardCopyOption.REPLACE_EXISTING);
            } else if (Files.exists(copy)) {
                Files.createDirectories(settings.table().toAbsolutePath().getParent());
                Files.copy(copy, settings.table());
            }
        } catch (IOException e) {
            throw QuernException.io("%s cannot be copied".formatted(copy), e);
        }
    }
}
