package org.quern.checkpoint;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.collective.Communicator;
import org.quern.collective.ElementType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Writes the checkpoints of a run, alone or together with other workers, each of which writes files of its own.
///
/// A checkpoint is written into a folder whose name starts with `.tmp-`, every file is flushed to the disk, the
/// first worker writes the manifest when all have done theirs, and only then is the folder renamed: whenever a
/// process is killed, a `step-` folder is whole or absent. Removing works the other way round, and begins when
/// the new checkpoint was read back and compared. One group of workers may write; any number of processes may
/// read meanwhile.
public final class CheckpointCommitter {
    private static final Logger LOG = LoggerFactory.getLogger(CheckpointCommitter.class);

    private final Path folder;
    private final int keep;
    private final long keepEvery;
    private final Communicator workers;

    /// @param folder where the checkpoints are, the same for all workers; made when the first is written
    /// @param keep how many of the newest are kept, at least 1
    /// @param keepEvery checkpoints whose step is a multiple of it are kept for good; 0: none
    /// @param workers who write together; nobody else uses it meanwhile. Its memory is the host's
    public CheckpointCommitter(Path folder, int keep, long keepEvery, Communicator workers) {
        if (keep < 1 || keepEvery < 0) {
            throw new IllegalArgumentException("keep %d, keepEvery %d".formatted(keep, keepEvery));
        }
        this.folder = folder;
        this.keep = keep;
        this.keepEvery = keepEvery;
        this.workers = workers;
    }

    private interface Action {
        void run() throws IOException;
    }

    /// Writes a checkpoint, replacing one of the same step, and removes those that need not be kept. All
    /// workers call it, and all of them return when it is on the disk, or throw.
    ///
    /// @param files what this worker writes
    /// @return its folder
    /// @throws QuernException if a worker could not write; then nothing is left of it and the others are untouched
    /// @throws org.quern.collective.CommunicatorException if a worker is gone
    public Path commit(long step, List<CheckpointFile> files) {
        Path target = Checkpoints.folder(folder, step);
        Path temporary = folder.resolve(Checkpoints.TEMPORARY + target.getFileName());
        double bytes = sum(files.stream().mapToLong(CheckpointFile::bytes).sum());
        together(target, () -> {
            if (isFirst()) {
                Files.createDirectories(folder);
                Checkpoints.removeLeftovers(folder);
                requireSpace(target, (long) bytes);
                Files.createDirectory(temporary);
                SavePoint.FOLDER_MADE.reached();
            }
        });
        together(target, () -> writeFiles(temporary, files));
        SavePoint.ALL_WRITTEN.reached();
        together(target, () -> {
            if (isFirst()) {
                commit(step, temporary, target);
            }
        });
        return target;
    }

    private boolean isFirst() {
        return workers.rank() == 0;
    }

    /// The sum over all workers, to seven digits.
    private double sum(double mine) {
        double sum = 0;
        for (float each : gather((float) mine)) {
            sum += each;
        }
        return sum;
    }

    private float[] gather(float mine) {
        MemorySegment all = Arena.ofAuto().allocate(ValueLayout.JAVA_FLOAT, workers.world());
        all.setAtIndex(ValueLayout.JAVA_FLOAT, workers.rank(), mine);
        workers.allReduce(all, ElementType.F32);
        return all.toArray(ValueLayout.JAVA_FLOAT);
    }

    /// Does this worker's part; returns when all have done theirs, and throws if one of them failed.
    private void together(Path target, Action mine) {
        QuernException failure = null;
        try {
            mine.run();
        } catch (IOException e) {
            failure = QuernException.io("checkpoint %s could not be written".formatted(target), e);
        } catch (QuernException e) {
            failure = e;
        }
        float[] failed = gather(failure == null ? 0 : 1);
        if (failure == null && sum(failed) == 0) {
            return;
        }
        if (isFirst()) {
            try {
                Checkpoints.removeLeftovers(folder);
            } catch (IOException e) {
                LOG.warn("{}: what is left of a failed checkpoint could not be removed: {}", folder, e.toString());
            }
        }
        if (failure != null) {
            throw failure;
        }
        throw new QuernException(
                ExitCode.IO, "checkpoint %s could not be written by worker %s".formatted(target, ranks(failed)));
    }

    private static double sum(float[] values) {
        return IntStream.range(0, values.length).mapToDouble(i -> values[i]).sum();
    }

    private static String ranks(float[] failed) {
        return IntStream.range(0, failed.length)
                .filter(rank -> failed[rank] > 0)
                .mapToObj(Integer::toString)
                .collect(Collectors.joining(", "));
    }

    private void requireSpace(Path target, long needed) throws IOException {
        long free = Files.getFileStore(folder).getUsableSpace();
        if (needed > free) {
            throw new QuernException(
                    ExitCode.IO,
                    "checkpoint %s could not be written: it takes %,d bytes, the disk has %,d left"
                            .formatted(target, needed, free));
        }
    }

    /// The names of the files that a worker wrote are in a file of their own until the manifest has them.
    private static Path listOf(Path temporary, int rank) {
        return temporary.resolve("files-of-worker-%d.json".formatted(rank));
    }

    /// What a worker wrote.
    private record Written(Map<String, Manifest.Entry> files) {}

    private void writeFiles(Path temporary, List<CheckpointFile> files) throws IOException {
        Map<String, Manifest.Entry> entries = new LinkedHashMap<>();
        for (CheckpointFile file : files) {
            try (DurableFile out = new DurableFile(temporary.resolve(file.name()))) {
                entries.put(file.name(), write(out, file));
            }
            SavePoint.FILE_WRITTEN.reached();
        }
        Files.write(listOf(temporary, workers.rank()), Json.pretty(new Written(entries)));
    }

    private static Manifest.Entry write(DurableFile out, CheckpointFile file) throws IOException {
        return switch (file) {
            case CheckpointFile.Tensors part -> Safetensors.write(out, part.tensors(), part.memory());
            case CheckpointFile.Content part ->
                new Manifest.Entry(file.bytes(), out.write(MemorySegment.ofArray(part.content())), Map.of());
        };
    }

    private void commit(long step, Path temporary, Path target) throws IOException {
        Map<String, Manifest.Entry> entries = new LinkedHashMap<>();
        for (int rank = 0; rank < workers.world(); rank++) {
            Path list = listOf(temporary, rank);
            entries.putAll(Checkpoint.bind(Json.MAPPER, list, Written.class).files());
            Files.delete(list);
        }
        try (DurableFile out = new DurableFile(temporary.resolve(Checkpoint.MANIFEST))) {
            out.write(MemorySegment.ofArray(Manifest.bytes(step, entries)));
        }
        SavePoint.MANIFEST_WRITTEN.reached();
        Checkpoints.flush(temporary);
        SavePoint.FLUSHED.reached();
        Path replaced = Checkpoints.removed(target);
        if (Files.exists(target)) {
            Files.move(target, replaced, StandardCopyOption.ATOMIC_MOVE);
        }
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
        SavePoint.RENAMED.reached();
        Checkpoints.flush(folder);
        SavePoint.COMMITTED.reached();
        Checkpoints.delete(replaced);
        verify(target);
        SavePoint.VERIFIED.reached();
        retain(step);
    }

    /// Puts aside what does not read back as it was written: then no other is removed.
    private static void verify(Path target) throws IOException {
        try {
            Checkpoint.open(target);
        } catch (QuernException e) {
            Checkpoints.quarantine(target, e.getMessage());
            throw new QuernException(ExitCode.IO, "the disk did not keep what was written to it: " + e.getMessage(), e);
        }
    }

    /// Removes what need not be kept.
    private void retain(long step) {
        try {
            NavigableMap<Long, Path> old = Checkpoints.steps(folder);
            old.keySet().removeAll(Checkpoints.kept(old.navigableKeySet(), step, keep, keepEvery));
            for (Path each : old.descendingMap().values()) {
                Path removed = Checkpoints.removed(each);
                Files.move(each, removed, StandardCopyOption.ATOMIC_MOVE);
                SavePoint.OLD_RENAMED.reached();
                Checkpoints.delete(removed);
                SavePoint.OLD_REMOVED.reached();
            }
        } catch (IOException e) {
            LOG.warn("{}: old checkpoints could not be removed: {}", folder, e.toString());
        }
    }
}
