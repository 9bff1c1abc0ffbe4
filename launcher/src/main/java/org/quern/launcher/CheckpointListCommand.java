package org.quern.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.Checkpoints;
import org.quern.store.StorePlace;
import org.quern.train.Units;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern checkpoint list`.
@Command(
        name = "list",
        description = {
            "Lists the checkpoints of a run.",
            "Compares the sizes of their files only: see checkpoint verify for their bytes."
        })
final class CheckpointListCommand implements Callable<Integer> {
    @Parameters(paramLabel = "RUN", description = "The folder of a run." + StoredPlace.DESCRIPTION)
    private String run;

    @Option(names = "--json", description = "Print the list as JSON.")
    private boolean json;

    /// Whether a checkpoint can be gone on from, as far as a glance tells.
    private enum State {
        COMPLETE,
        DAMAGED,
        QUARANTINED
    }

    /// @param problem what is wrong with it; empty if nothing was found
    private record Row(long step, String folder, long bytes, long ageSeconds, State state, String problem) {}

    @Override
    public Integer call() throws IOException {
        List<Row> rows = StorePlace.isPlace(run) ? stored() : here();
        if (json) {
            System.out.println(JsonOutput.of(rows));
        } else if (rows.isEmpty()) {
            System.out.println("no checkpoints yet");
        } else {
            System.out.println("      step        size         age  state");
            for (Row row : rows) {
                System.out.println(String.format(
                                Locale.ROOT,
                                "%10d  %10s  %10s  %s %s",
                                row.step(),
                                Units.bytes(row.bytes()),
                                Units.duration(row.ageSeconds()),
                                row.state().name().toLowerCase(Locale.ROOT),
                                row.problem())
                        .stripTrailing());
            }
        }
        return ExitCode.OK.code();
    }

    private List<Row> here() throws IOException {
        List<Row> rows = new ArrayList<>();
        for (Checkpoints.Found found : CheckpointCommand.ofRun(Path.of(run))) {
            rows.add(row(found));
        }
        return rows;
    }

    private List<Row> stored() {
        try (StoredPlace place = new StoredPlace(run)) {
            return place.list().stream()
                    .map(found -> new Row(
                            found.step(), found.place(), found.bytes(), age(found.written()), State.COMPLETE, ""))
                    .toList();
        }
    }

    private static long age(Instant written) {
        return Duration.between(written, Instant.now()).toSeconds();
    }

    private static Row row(Checkpoints.Found found) throws IOException {
        long age = age(Files.getLastModifiedTime(found.folder()).toInstant());
        State state = found.quarantined() ? State.QUARANTINED : State.COMPLETE;
        try {
            long bytes = Checkpoint.glance(found.folder()).bytes();
            return new Row(found.step(), found.folder().toString(), bytes, age, state, "");
        } catch (QuernException e) {
            State damaged = found.quarantined() ? State.QUARANTINED : State.DAMAGED;
            return new Row(found.step(), found.folder().toString(), 0, age, damaged, e.getMessage());
        }
    }
}
