package org.quern.checkpoint;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The checkpoints of a run: a folder with a `step-00001000` for each.
///
/// A checkpoint is written into a folder whose name starts with `.tmp-`, every file is flushed to the disk, and only
/// then is the folder renamed: whenever the process is killed, a `step-` folder is whole or absent. Removing works the
/// other way round. One process may write; any number may read meanwhile.
public final class Checkpoints {
    private static final Logger LOG = LoggerFactory.getLogger(Checkpoints.class);
    private static final Pattern STEP = Pattern.compile("step-(\\d{8,18})");
    private static final String TEMPORARY = ".tmp-";

    private final Path folder;
    private final int keep;
    private final long keepEvery;

    /// @param folder where the checkpoints are; made when the first is written
    /// @param keep how many of the newest are kept, at least 1
    /// @param keepEvery checkpoints whose step is a multiple of it are kept for good; 0: none
    public Checkpoints(Path folder, int keep, long keepEvery) {
        if (keep < 1 || keepEvery < 0) {
            throw new IllegalArgumentException("keep %d, keepEvery %d".formatted(keep, keepEvery));
        }
        this.folder = folder;
        this.keep = keep;
        this.keepEvery = keepEvery;
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
        QuernException first = null;
        try {
            for (Map.Entry<Long, Path> entry :
                    steps(folder).headMap(before, false).descendingMap().entrySet()) {
                try {
                    return Optional.of(open(entry.getKey(), entry.getValue()));
                } catch (QuernException e) {
                    LOG.warn("checkpoint passed over: {}", e.getMessage());
                    first = first == null ? e : first;
                }
            }
        } catch (IOException e) {
            throw QuernException.io("%s could not be read: %s".formatted(folder, e), e);
        }
        if (first != null) {
            throw new QuernException(
                    first.exitCode(),
                    "%s: no checkpoint is whole; remove the folder to start anew. The newest: %s"
                            .formatted(folder, first.getMessage()));
        }
        return Optional.empty();
    }

    /// Writes a checkpoint, replacing one of the same step, and removes those that need not be kept.
    ///
    /// @return its folder, which is on the disk
    /// @throws QuernException if it could not be written; then nothing is left of it and the others are untouched
    public Path commit(long step, List<CheckpointFile> files) {
        Path target = folder.resolve(String.format(Locale.ROOT, "step-%08d", step));
        Path temporary = folder.resolve(TEMPORARY + target.getFileName());
        try {
            Files.createDirectories(folder);
            removeLeftovers();
            requireSpace(target, files);
            write(temporary, step, files);
            if (Files.exists(target)) {
                remove(target);
            }
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
            flush(folder);
        } catch (IOException e) {
            try {
                removeLeftovers();
            } catch (IOException suppressed) {
                e.addSuppressed(suppressed);
            }
            throw QuernException.io("checkpoint %s could not be written: %s".formatted(target, e), e);
        }
        retain(step);
        return target;
    }

    private void requireSpace(Path target, List<CheckpointFile> files) throws IOException {
        long needed = files.stream().mapToLong(CheckpointFile::bytes).sum();
        long free = Files.getFileStore(folder).getUsableSpace();
        if (needed > free) {
            throw new QuernException(
                    ExitCode.IO,
                    "checkpoint %s could not be written: it takes %d MiB, the disk has %d MiB left"
                            .formatted(target, needed >> 20, free >> 20));
        }
    }

    private static void write(Path temporary, long step, List<CheckpointFile> files) throws IOException {
        Files.createDirectory(temporary);
        Map<String, Checkpoint.Manifest.Entry> entries = new LinkedHashMap<>();
        for (CheckpointFile file : files) {
            entries.put(file.name(), write(temporary, file));
        }
        write(temporary, CheckpointFile.json(Checkpoint.MANIFEST, new Checkpoint.Manifest(step, entries)));
        flush(temporary);
    }

    private static Checkpoint.Manifest.Entry write(Path folder, CheckpointFile file) throws IOException {
        try (DurableFile out = new DurableFile(folder.resolve(file.name()))) {
            Map<String, String> tensors = switch (file) {
                case CheckpointFile.Tensors part -> Safetensors.write(out, part.tensors());
                case CheckpointFile.Content part -> {
                    out.write(MemorySegment.ofArray(part.content()));
                    yield Map.of();
                }
            };
            return new Checkpoint.Manifest.Entry(file.bytes(), out.checksum(), tensors);
        }
    }

    private static Checkpoint open(long step, Path folder) {
        Checkpoint checkpoint = Checkpoint.open(folder);
        if (checkpoint.step() != step) {
            throw QuernException.data("%s: expected the checkpoint of step %d, found that of step %d"
                    .formatted(folder.resolve(Checkpoint.MANIFEST), step, checkpoint.step()));
        }
        return checkpoint;
    }

    /// Removes what need not be kept. Steps after the one just written are left: they come from a run that was taken
    /// up again at an earlier step, because they are damaged.
    private void retain(long step) {
        try {
            List<Map.Entry<Long, Path>> old = steps(folder).headMap(step, true).descendingMap().entrySet().stream()
                    .skip(keep)
                    .filter(entry -> keepEvery == 0 || entry.getKey() % keepEvery != 0)
                    .toList();
            for (Map.Entry<Long, Path> entry : old) {
                remove(entry.getValue());
            }
        } catch (IOException e) {
            LOG.warn("{}: old checkpoints could not be removed: {}", folder, e.toString());
        }
    }

    private static NavigableMap<Long, Path> steps(Path folder) throws IOException {
        NavigableMap<Long, Path> steps = new TreeMap<>();
        for (Path path : list(folder)) {
            Matcher name = STEP.matcher(path.getFileName().toString());
            if (name.matches()) {
                steps.put(Long.parseLong(name.group(1)), path);
            }
        }
        return steps;
    }

    /// Removes what a killed or failed writer left.
    private void removeLeftovers() throws IOException {
        for (Path path : list(folder)) {
            if (path.getFileName().toString().startsWith(TEMPORARY)) {
                delete(path);
            }
        }
    }

    private static void remove(Path checkpoint) throws IOException {
        Path temporary = checkpoint.resolveSibling(TEMPORARY + "removed-" + checkpoint.getFileName());
        Files.move(checkpoint, temporary, StandardCopyOption.ATOMIC_MOVE);
        delete(temporary);
    }

    private static void delete(Path folder) throws IOException {
        for (Path file : list(folder)) {
            Files.delete(file);
        }
        Files.delete(folder);
    }

    private static List<Path> list(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> paths = Files.list(folder)) {
            return paths.toList();
        }
    }

    /// Waits until the disk has the names in a folder.
    private static void flush(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
