package org.quern.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.base.QuernException;
import org.quern.checkpoint.StoredCheckpoints;
import org.quern.store.ObjectStore;
import org.quern.store.StorePlace;

/// What `s3://bucket/run` names, the checkpoints of a run, or `s3://bucket/run/step-00001000`, one of them.
final class StoredPlace implements AutoCloseable {
    static final String DESCRIPTION = " Or s3://BUCKET/PREFIX, as in checkpoint.upload.";

    private static final Pattern STEP = Pattern.compile("(.+)/step-(\\d{8,18})/*");

    private final String text;
    private final Optional<Long> step;
    private final ObjectStore store;
    private final StoredCheckpoints checkpoints;

    StoredPlace(String text) {
        this.text = text;
        Matcher one = STEP.matcher(text);
        boolean isOne = one.matches();
        step = isOne ? Optional.of(Long.parseLong(one.group(2))) : Optional.empty();
        store = ObjectStore.open(StorePlace.parse(isOne ? one.group(1) : text));
        checkpoints = new StoredCheckpoints(store);
    }

    /// The checkpoints, the oldest first.
    List<StoredCheckpoints.Found> list() {
        List<StoredCheckpoints.Found> found = checkpoints.list().stream()
                .filter(each -> step.isEmpty() || each.step() == step.get())
                .toList();
        if (found.isEmpty()) {
            throw QuernException.data("%s: expected a checkpoint, found none".formatted(text));
        }
        return found;
    }

    /// Compares all bytes of one with their checksums.
    ///
    /// @return how many they are
    long verify(StoredCheckpoints.Found found) {
        return checkpoints.verify(found.step());
    }

    /// Something done with the folder of a run, of a checkpoint or of a model.
    interface Action {
        int with(Path folder) throws IOException;
    }

    /// Does something with a folder, or with the newest checkpoint of a place in a store, which is copied into a
    /// temporary folder for it.
    static int with(String place, Action action) throws IOException {
        if (!StorePlace.isPlace(place)) {
            return action.with(Path.of(place));
        }
        Path folder = Files.createTempDirectory("quern-");
        try (StoredPlace stored = new StoredPlace(place)) {
            return action.with(stored.fetch(folder));
        } finally {
            Folders.delete(folder);
        }
    }

    private Path fetch(Path folder) {
        StoredCheckpoints.Found newest = list().getLast();
        ProgressDisplay progress = new ProgressDisplay(Terminal.error());
        AtomicLong moved = new AtomicLong();
        return checkpoints
                .download(newest.step(), folder, bytes -> {
                    synchronized (moved) {
                        progress.update(
                                "fetching " + newest.place(),
                                Math.min(moved.addAndGet(bytes), newest.bytes()),
                                newest.bytes());
                    }
                })
                .folder();
    }

    @Override
    public void close() {
        store.close();
    }
}
