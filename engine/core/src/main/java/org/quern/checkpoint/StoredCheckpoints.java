package org.quern.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.store.ObjectStore;
import org.quern.store.StoredObject;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The checkpoints of a run in an object store: the objects `step-00001000/manifest.json` and so on.
///
/// A checkpoint is there when its manifest is, which is written last and removed first: whenever a process is
/// killed, a checkpoint is whole or not seen. One process writes; any number may read.
public final class StoredCheckpoints {
    private static final Logger LOG = LoggerFactory.getLogger(StoredCheckpoints.class);
    private static final Pattern KEY = Pattern.compile("step-(\\d{8,18})/([^/]+)");

    private final ObjectStore store;

    public StoredCheckpoints(ObjectStore store) {
        this.store = store;
    }

    /// A checkpoint in the store.
    ///
    /// @param place such as `s3://bucket/run/step-00001000`
    /// @param bytes of its objects
    /// @param written when it was whole
    public record Found(String place, long step, long bytes, Instant written) {}

    /// The checkpoints, the oldest first.
    public List<Found> list() {
        List<Found> found = new ArrayList<>();
        steps().forEach((step, files) -> {
            StoredObject manifest = files.get(Checkpoint.MANIFEST);
            if (manifest != null) {
                long bytes =
                        files.values().stream().mapToLong(StoredObject::bytes).sum();
                found.add(new Found(place(step), step, bytes, manifest.modified()));
            }
        });
        return found;
    }

    /// The objects of each step by the names of their files, whether there is a manifest or not.
    private NavigableMap<Long, Map<String, StoredObject>> steps() {
        NavigableMap<Long, Map<String, StoredObject>> steps = new TreeMap<>();
        for (StoredObject object : store.list("step-")) {
            Matcher key = KEY.matcher(object.key());
            if (key.matches()) {
                steps.computeIfAbsent(Long.parseLong(key.group(1)), _ -> new HashMap<>())
                        .put(key.group(2), object);
            }
        }
        return steps;
    }

    private static String key(long step, String file) {
        return String.format(Locale.ROOT, "step-%08d/%s", step, file);
    }

    /// Where they are.
    public String place() {
        return store.place().toString();
    }

    /// Where the checkpoint of a step is.
    public String place(long step) {
        return store.place() + "/" + key(step, "").replace("/", "");
    }

    /// Writes a checkpoint, replacing one of the same step.
    ///
    /// @param moved told how many more bytes the store has, by several threads
    public void upload(Checkpoint checkpoint, LongConsumer moved) {
        long step = checkpoint.step();
        store.delete(key(step, Checkpoint.MANIFEST));
        for (String file : checkpoint.files().keySet()) {
            store.put(key(step, file), checkpoint.folder().resolve(file), moved);
        }
        store.put(key(step, Checkpoint.MANIFEST), checkpoint.folder().resolve(Checkpoint.MANIFEST), _ -> {});
    }

    /// Removes what need not be kept.
    public void retain(long written, int keep, long keepEvery) {
        NavigableMap<Long, Map<String, StoredObject>> steps = steps();
        NavigableSet<Long> whole = new TreeSet<>(steps.navigableKeySet());
        whole.removeIf(step -> !steps.get(step).containsKey(Checkpoint.MANIFEST));
        whole.removeAll(Checkpoints.kept(whole, written, keep, keepEvery));
        whole.forEach(step -> remove(steps.get(step)));
    }

    /// Removes what killed uploads left.
    public void removeLeftovers() {
        store.abortUploads("step-");
        for (Map<String, StoredObject> files : steps().values()) {
            if (!files.containsKey(Checkpoint.MANIFEST)) {
                remove(files);
            }
        }
    }

    private void remove(Map<String, StoredObject> files) {
        if (files.containsKey(Checkpoint.MANIFEST)) {
            store.delete(files.get(Checkpoint.MANIFEST).key());
        }
        files.forEach((name, object) -> {
            if (!name.equals(Checkpoint.MANIFEST)) {
                store.delete(object.key());
            }
        });
    }

    /// Copies the newest checkpoint that is whole into the folder of a run's checkpoints; newer ones that are
    /// damaged are passed over with a warning.
    ///
    /// @param after only those of later steps
    /// @param progress told how far the copying is, by one thread at a time
    /// @return empty if there is none
    public Optional<Checkpoint> fetchNewest(long after, Path checkpoints, Progress progress) {
        for (Found found : list().reversed()) {
            if (found.step() <= after) {
                return Optional.empty();
            }
            AtomicLong moved = new AtomicLong();
            try {
                return Optional.of(download(found.step(), checkpoints, bytes -> {
                    synchronized (moved) {
                        progress.update(found, Math.min(moved.addAndGet(bytes), found.bytes()));
                    }
                }));
            } catch (QuernException e) {
                if (e.exitCode() != ExitCode.DATA) {
                    throw e;
                }
                LOG.warn("checkpoint passed over: {}", e.getMessage());
            }
        }
        return Optional.empty();
    }

    /// Told how much of a checkpoint was copied.
    public interface Progress {
        void update(Found checkpoint, long bytes);
    }

    /// Copies a checkpoint into the folder of a run's checkpoints, and compares all its bytes with their checksums.
    ///
    /// @param moved told how many more bytes are there, by several threads
    /// @throws QuernException if it is damaged; then nothing is left of it here
    public Checkpoint download(long step, Path checkpoints, LongConsumer moved) {
        Path target = Checkpoints.folder(checkpoints, step);
        Path temporary = checkpoints.resolve(Checkpoints.TEMPORARY + target.getFileName());
        try {
            Files.createDirectories(checkpoints);
            Checkpoints.delete(temporary);
            Files.createDirectory(temporary);
            Manifest manifest = manifest(step, temporary);
            requireSpace(step, manifest.bytes(), checkpoints);
            for (String file : manifest.files().keySet()) {
                store.download(key(step, file), temporary.resolve(file), moved);
            }
            manifest.verify(temporary);
            Checkpoints.flush(temporary);
            if (Files.exists(target)) {
                Checkpoints.quarantine(target, "the one in the store takes its place");
            }
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
            Checkpoints.flush(checkpoints);
            return new Checkpoint(target, step);
        } catch (IOException e) {
            throw QuernException.io("%s could not be copied to %s".formatted(place(step), checkpoints), e);
        } catch (QuernException e) {
            throw inStore(step, temporary, e);
        } finally {
            discard(temporary);
        }
    }

    /// Compares all bytes of a checkpoint with their checksums, one file after the other.
    ///
    /// @return how many they are
    /// @throws QuernException naming what is damaged
    public long verify(long step) {
        Path scratch;
        try {
            scratch = Files.createTempDirectory("quern-verify-");
        } catch (IOException e) {
            throw QuernException.io("no folder for temporary files can be made", e);
        }
        try {
            Manifest manifest = manifest(step, scratch);
            for (Map.Entry<String, Manifest.Entry> file : manifest.files().entrySet()) {
                Path copy = scratch.resolve(file.getKey());
                store.download(key(step, file.getKey()), copy);
                new Manifest(step, Map.of(file.getKey(), file.getValue()), manifest.crc32c()).verify(scratch);
                Files.delete(copy);
            }
            return manifest.bytes();
        } catch (IOException e) {
            throw QuernException.io("%s could not be copied to %s".formatted(place(step), scratch), e);
        } catch (QuernException e) {
            throw inStore(step, scratch, e);
        } finally {
            discard(scratch);
        }
    }

    private Manifest manifest(long step, Path folder) {
        store.download(key(step, Checkpoint.MANIFEST), folder.resolve(Checkpoint.MANIFEST));
        Manifest manifest = Manifest.read(folder);
        if (manifest.step() != step) {
            throw QuernException.data("%s: expected the checkpoint of step %d, found that of step %d"
                    .formatted(folder.resolve(Checkpoint.MANIFEST), step, manifest.step()));
        }
        return manifest;
    }

    private void requireSpace(long step, long needed, Path folder) throws IOException {
        long free = Files.getFileStore(folder).getUsableSpace();
        if (needed > free) {
            throw new QuernException(
                    ExitCode.IO,
                    "%s takes %,d bytes, the disk of %s has %,d left".formatted(place(step), needed, folder, free));
        }
    }

    /// The same failure, of what is in the store and not of the copy.
    private QuernException inStore(long step, Path copy, QuernException e) {
        return new QuernException(e.exitCode(), e.getMessage().replace(copy.toString(), place(step)), e);
    }

    private static void discard(Path folder) {
        try {
            Checkpoints.delete(folder);
        } catch (IOException _) {
            // The next checkpoint that is written removes it.
        }
    }
}
