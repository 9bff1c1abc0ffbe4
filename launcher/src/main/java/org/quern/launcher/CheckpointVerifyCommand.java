package org.quern.launcher;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.LongSupplier;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
import org.quern.store.StorePlace;
import org.quern.train.Units;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern checkpoint verify`.
@Command(
        name = "verify",
        description = "Compares every byte of checkpoints with their checksums; changes nothing. Ends with 65 if one"
                + " is damaged.")
final class CheckpointVerifyCommand implements Callable<Integer> {
    @Parameters(
            paramLabel = "RUN|CHECKPOINT",
            description = "The folder of a run, for all its checkpoints, or of one." + StoredPlace.DESCRIPTION)
    private String place;

    @Option(names = "--json", description = "Print the result as JSON.")
    private boolean json;

    /// @param problem what is wrong with it; empty if nothing is
    private record Row(String folder, boolean valid, long bytes, double seconds, String problem) {}

    @Override
    public Integer call() {
        List<Row> rows = new ArrayList<>();
        if (StorePlace.isPlace(place)) {
            try (StoredPlace stored = new StoredPlace(place)) {
                stored.list().forEach(found -> rows.add(verify(found.place(), () -> stored.verify(found))));
            }
        } else {
            CheckpointCommand.folders(Path.of(place))
                    .forEach(folder -> rows.add(verify(
                            folder.toString(), () -> Checkpoint.open(folder).bytes())));
        }
        if (json) {
            System.out.println(JsonOutput.of(rows));
        } else if (rows.isEmpty()) {
            System.out.println("no checkpoints yet");
        }
        boolean valid = rows.stream().allMatch(Row::valid);
        return (valid ? ExitCode.OK : ExitCode.DATA).code();
    }

    /// @param bytes compares them with their checksums, and says how many they are
    private Row verify(String folder, LongSupplier bytes) {
        long began = System.nanoTime();
        Row row;
        try {
            row = new Row(folder, true, bytes.getAsLong(), (System.nanoTime() - began) / 1e9, "");
        } catch (QuernException e) {
            row = new Row(folder, false, 0, (System.nanoTime() - began) / 1e9, e.getMessage());
        }
        if (!json) {
            System.out.println(
                    row.valid()
                            ? "%s: valid, %s in %.1f s".formatted(folder, Units.bytes(row.bytes()), row.seconds())
                            : "damaged: " + row.problem());
        }
        return row;
    }
}
