package org.quern.checkpoint;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The checkpoints of a run as they lie in their folder: a `step-00001000` for each, and a
/// `quarantine-step-00001000` for each that was found damaged. [CheckpointCommitter] writes them.
public final class Checkpoints {
    static final String TEMPORARY = ".tmp-";

    private static final Logger LOG = LoggerFactory.getLogger(Checkpoints.class);
    private static final String QUARANTINE = "quarantine-";
    private static final Pattern STEP = Pattern.compile("(" + QUARANTINE + ")?step-(\\d{8,18})(-\\d+)?");

    private Checkpoints() {}

    /// A folder that is a checkpoint by its name.
    public record Found(Path folder, long step, boolean quarantined) {}

    /// The folder of a step's checkpoint.
    public static Path folder(Path checkpoints, long step) {
        return checkpoints.resolve(String.format(Locale.ROOT, "step-%08d", step));
    }

    /// Everything in the folder that is or was a checkpoint, the oldest first.
    public static List<Found> list(Path folder) {
        try {
            List<Found> found = new ArrayList<>();
            for (Path path : files(folder)) {
                Matcher name = STEP.matcher(path.getFileName().toString());
                if (name.matches()) {
                    found.add(new Found(path, Long.parseLong(name.group(2)), name.group(1) != null));
                }
            }
            found.sort(Comparator.comparing(Found::step).thenComparing(Found::folder));
            return found;
        } catch (IOException e) {
            throw QuernException.io("%s could not be read".formatted(folder), e);
        }
    }

    /// The newest checkpoint whose files are all whole; newer ones are passed over with a warning.
    ///
    /// @return empty if there are no checkpoints
    /// @throws QuernException if there are some, but not one is whole
    public static Optional<Checkpoint> newestValid(Path folder) {
        return newestValid(folder, Long.MAX_VALUE);
    }

    /// The same of those before a step.
    public static Optional<Checkpoint> newestValid(Path folder, long before) {
        return newestValid(folder, before, new LinkedHashMap<>());
    }

    /// The same for a run that goes on from there: damaged ones that are newer are put aside as `quarantine-...`, if
    /// there is one that is whole.
    public static Optional<Checkpoint> recover(Path folder) {
        Map<Path, QuernException> damaged = new LinkedHashMap<>();
        Optional<Checkpoint> found = newestValid(folder, Long.MAX_VALUE, damaged);
        damaged.forEach((path, reason) -> {
            // What could not be read may be whole.
            if (reason.exitCode() == ExitCode.DATA) {
                try {
                    quarantine(path, reason.getMessage());
                } catch (IOException e) {
                    throw QuernException.io("%s is damaged, but cannot be renamed".formatted(path), e);
                }
            }
        });
        return found;
    }

    private static Optional<Checkpoint> newestValid(Path folder, long before, Map<Path, QuernException> damaged) {
        try {
            for (Map.Entry<Long, Path> entry :
                    steps(folder).headMap(before, false).descendingMap().entrySet()) {
                try {
                    return Optional.of(open(entry.getKey(), entry.getValue()));
                } catch (QuernException e) {
                    LOG.warn("checkpoint passed over: {}", e.getMessage());
                    damaged.put(entry.getValue(), e);
                }
            }
        } catch (IOException e) {
            throw QuernException.io("%s could not be read".formatted(folder), e);
        }
        damaged.values().stream().findFirst().ifPresent(newest -> {
            throw new QuernException(
                    newest.exitCode(),
                    "%s: no checkpoint is whole; remove the folder to start anew. The newest: %s"
                            .formatted(folder, newest.getMessage()));
        });
        return Optional.empty();
    }

    private static Checkpoint open(long step, Path folder) {
        Checkpoint checkpoint = Checkpoint.open(folder);
        if (checkpoint.step() != step) {
            throw QuernException.data("%s: expected the checkpoint of step %d, found that of step %d"
                    .formatted(folder.resolve(Checkpoint.MANIFEST), step, checkpoint.step()));
        }
        return checkpoint;
    }

    /// Puts a damaged checkpoint aside, where nobody takes it for one.
    static void quarantine(Path checkpoint, String reason) throws IOException {
        String name = QUARANTINE + checkpoint.getFileName();
        Path aside = checkpoint.resolveSibling(name);
        for (int i = 2; Files.exists(aside); i++) {
            aside = checkpoint.resolveSibling(name + "-" + i);
        }
        Files.move(checkpoint, aside, StandardCopyOption.ATOMIC_MOVE);
        LOG.warn("a damaged checkpoint is now {}: {}", aside, reason);
    }

    static NavigableMap<Long, Path> steps(Path folder) throws IOException {
        NavigableMap<Long, Path> steps = new TreeMap<>();
        for (Path path : files(folder)) {
            Matcher name = STEP.matcher(path.getFileName().toString());
            if (name.matches() && name.group(1) == null && name.group(3) == null) {
                steps.put(Long.parseLong(name.group(2)), path);
            }
        }
        return steps;
    }

    /// Which steps are kept, of those there are: the newest, those that are kept for good, and those after the one
    /// just written, which come from a run that was taken up again at an earlier step.
    public static NavigableSet<Long> kept(NavigableSet<Long> steps, long written, int keep, long keepEvery) {
        NavigableSet<Long> kept = new TreeSet<>(steps.tailSet(written, false));
        steps.headSet(written, true).descendingSet().stream().limit(keep).forEach(kept::add);
        steps.stream().filter(step -> keepEvery > 0 && step % keepEvery == 0).forEach(kept::add);
        return kept;
    }

    /// The name of a checkpoint that is about to be deleted.
    static Path removed(Path checkpoint) {
        return checkpoint.resolveSibling(TEMPORARY + "removed-" + checkpoint.getFileName());
    }

    /// Removes what a killed or failed writer left.
    static void removeLeftovers(Path folder) throws IOException {
        for (Path path : files(folder)) {
            if (path.getFileName().toString().startsWith(TEMPORARY)) {
                delete(path);
            }
        }
    }

    /// Deletes a folder of files, if it is there.
    static void delete(Path folder) throws IOException {
        for (Path file : files(folder)) {
            Files.delete(file);
        }
        Files.deleteIfExists(folder);
    }

    private static List<Path> files(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> paths = Files.list(folder)) {
            return paths.toList();
        }
    }

    /// Waits until the disk has the names in a folder.
    static void flush(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
