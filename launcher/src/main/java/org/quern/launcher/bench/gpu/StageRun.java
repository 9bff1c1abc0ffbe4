package org.quern.launcher.bench.gpu;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.quern.base.ExitCode;
import org.quern.launcher.bench.gpu.Program.End;
import org.quern.launcher.bench.gpu.Program.Ending;
import tools.jackson.databind.JsonNode;

/// One stage under way: its processes, until all is there or its time is over.
final class StageRun {
    /// A stage's process is ended so long after the time at which it begins nothing more.
    private static final int GRACE_SECONDS = 8;
    /// Longer than PyTorch takes to start, and than any kernel or library for one row.
    private static final Duration SILENCE = Duration.ofSeconds(60);
    /// Of one stage; then the device is not worth more of it.
    private static final int MOST_LOSSES = 3;

    private final Stage stage;
    private final StageCommands commands;
    private final Journal journal;
    private final Program program;
    private final LongSupplier clock;
    private final Consumer<String> status;
    private final long end;

    /// @param clock nanoseconds
    /// @param end when the stage's time is over
    /// @param status told what happens
    StageRun(
            Stage stage,
            StageCommands commands,
            Journal journal,
            Program program,
            LongSupplier clock,
            long end,
            Consumer<String> status) {
        this.stage = stage;
        this.commands = commands;
        this.journal = journal;
        this.program = program;
        this.clock = clock;
        this.end = end;
        this.status = status;
    }

    /// What a stage came to.
    ///
    /// @param failed whether something is wrong
    /// @param trouble what is not as it should be; empty if all is done
    record Outcome(boolean failed, String trouble) {
        private static final Outcome DONE = new Outcome(false, "");

        private static Outcome failed(String how) {
            return new Outcome(true, "failed: " + how);
        }

        boolean isDone() {
            return trouble.isEmpty();
        }
    }

    Outcome run() {
        return switch (stage) {
            case ASSEMBLE, TRAINING, PROGRAMMATIC, FP8 -> once();
            case CHECK -> check();
            case TUNE, PRODUCTS, ATTENTION, MEMORY -> rows();
        };
    }

    private Duration left() {
        return Duration.ofNanos(Math.max(0, end - clock.getAsLong()));
    }

    private Ending start(Set<String> over, Duration silence) {
        long seconds = Math.max(1, left().toSeconds() - GRACE_SECONDS);
        List<String> arguments = commands.of(stage, seconds, over);
        journal.begin(stage, commandLine(arguments));
        status.accept("%s: %d s".formatted(stage.key(), left().toSeconds()));
        return program.run(arguments, left(), silence, line -> {
            journal.line(stage, line);
            status.accept("%s: %d rows, %d s left"
                    .formatted(stage.key(), journal.lines(stage).size(), left().toSeconds()));
        });
    }

    /// As a shell takes it.
    private static String commandLine(List<String> arguments) {
        return arguments.stream()
                .map(argument -> argument.contains(" ") ? "'" + argument + "'" : argument)
                .collect(Collectors.joining(" ", "quern ", ""));
    }

    private Outcome once() {
        Ending ending = start(Set.of(), left());
        if (ending.failed()) {
            return Outcome.failed(ending.reason());
        }
        return ending.end() == End.TIME_OVER ? new Outcome(false, ending.reason()) : Outcome.DONE;
    }

    private Outcome check() {
        Ending ending = start(Set.of(), left());
        GpuFigures figures = new GpuFigures(journal);
        int wrong = figures.wrong().size();
        if (wrong > 0) {
            return Outcome.failed("%d cases are wrong".formatted(wrong));
        }
        if (ending.failed()) {
            return Outcome.failed(ending.reason());
        }
        return figures.right() == 0 ? Outcome.failed("no case came to its end") : Outcome.DONE;
    }

    /// Until all rows are there. One during which the process ends, or says nothing for long, is lost, and another
    /// process goes on with the next.
    private Outcome rows() {
        List<String> rows = commands.rows(stage);
        while (true) {
            Set<String> over = over();
            if (over.containsAll(rows)) {
                return Outcome.DONE;
            }
            if (left().toSeconds() <= GRACE_SECONDS) {
                return overtime(rows, over);
            }
            int lines = journal.lines(stage).size();
            Ending ending = start(over, SILENCE);
            List<JsonNode> added =
                    journal.lines(stage).subList(lines, journal.lines(stage).size());
            over = over();
            Optional<String> next = firstWithout(rows, over);
            if (!ending.failed() || leftOut(ending, added)) {
                return next.isEmpty() ? Outcome.DONE : overtime(rows, over);
            }
            if (added.isEmpty() || next.isEmpty()) {
                return Outcome.failed(ending.reason());
            }
            journal.lost(stage, next.get(), ending.reason());
            if (journal.losses(stage).size() >= MOST_LOSSES) {
                return Outcome.failed("%d rows were lost".formatted(MOST_LOSSES));
            }
        }
    }

    private Set<String> over() {
        Set<String> over = new HashSet<>(journal.losses(stage).keySet());
        journal.lines(stage).forEach(line -> over.add(commands.row(stage, line)));
        return over;
    }

    private static Optional<String> firstWithout(List<String> rows, Set<String> over) {
        return rows.stream().filter(row -> !over.contains(row)).findFirst();
    }

    private static Outcome overtime(List<String> rows, Set<String> over) {
        return new Outcome(
                false,
                "the time was over: %d of %d rows"
                        .formatted(rows.stream().filter(over::contains).count(), rows.size()));
    }

    /// A tuner that left plans out says so at its end.
    private static boolean leftOut(Ending ending, List<JsonNode> added) {
        return ending.code() == ExitCode.INTERNAL.code()
                && added.stream().anyMatch(line -> !line.path("refusals").isEmpty());
    }
}
