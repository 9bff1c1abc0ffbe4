package org.quern.launcher;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
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
    @Parameters(paramLabel = "RUN|CHECKPOINT", description = "The folder of a run, for all its checkpoints, or of one.")
    private Path place;

    @Option(names = "--json", description = "Print the result as JSON.")
    private boolean json;

    /// @param problem what is wrong with it; empty if nothing is
    private record Row(String folder, boolean valid, long bytes, double seconds, String problem) {}

    @Override
    public Integer call() {
        List<Row> rows = new ArrayList<>();
        for (Path folder : CheckpointCommand.folders(place)) {
            Row row = verify(folder);
            rows.add(row);
            if (!json) {
                System.out.println(
                        row.valid()
                                ? "%s: valid, %s in %.1f s".formatted(folder, Units.bytes(row.bytes()), row.seconds())
                                : "damaged: " + row.problem());
            }
        }
        if (json) {
            System.out.println(JsonOutput.of(rows));
        } else if (rows.isEmpty()) {
            System.out.println("no checkpoints yet");
        }
        boolean valid = rows.stream().allMatch(Row::valid);
        return (valid ? ExitCode.OK : ExitCode.DATA).code();
    }

    private static Row verify(Path folder) {
        long began = System.nanoTime();
        try {
            long bytes = Checkpoint.open(folder).bytes();
            return new Row(folder.toString(), true, bytes, (System.nanoTime() - began) / 1e9, "");
        } catch (QuernException e) {
            return new Row(folder.toString(), false, 0, (System.nanoTime() - began) / 1e9, e.getMessage());
        }
    }
}
