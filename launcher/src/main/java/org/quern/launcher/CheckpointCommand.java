package org.quern.launcher;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.Checkpoints;
import picocli.CommandLine.Command;

/// `quern checkpoint`: work with the checkpoints of a run.
@Command(
        name = "checkpoint",
        description = "Lists, verifies, shows and converts checkpoints.",
        synopsisSubcommandLabel = "VERB",
        subcommands = {
            CheckpointListCommand.class,
            CheckpointVerifyCommand.class,
            CheckpointInspectCommand.class,
            CheckpointConvertCommand.class
        })
final class CheckpointCommand {
    private CheckpointCommand() {}

    /// The checkpoints of a run.
    ///
    /// @throws QuernException if it is not the folder of a run
    static List<Checkpoints.Found> ofRun(Path run) {
        Path folder = run.resolve("checkpoints");
        if (!Files.isDirectory(folder)) {
            throw QuernException.data(
                    "%s: expected the folder of a run with its checkpoints, found none".formatted(run));
        }
        return Checkpoints.list(folder);
    }

    /// What a person means by the folder of a run or of a checkpoint.
    static List<Path> folders(Path place) {
        if (Files.exists(place.resolve(Checkpoint.MANIFEST)) || !Files.isDirectory(place.resolve("checkpoints"))) {
            return List.of(place);
        }
        List<Path> folders = new ArrayList<>();
        for (Checkpoints.Found found : ofRun(place)) {
            if (!found.quarantined()) {
                folders.add(found.folder());
            }
        }
        return folders;
    }

    /// The newest of them.
    static Path newest(Path place) {
        Optional<Path> newest = folders(place).stream().max(Comparator.comparing(Path::getFileName));
        return newest.orElseThrow(() -> QuernException.data(
                "%s: expected a checkpoint, found none yet".formatted(place.resolve("checkpoints"))));
    }
}
