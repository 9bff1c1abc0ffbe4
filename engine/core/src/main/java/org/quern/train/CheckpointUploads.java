package org.quern.train;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Queue;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.Checkpoints;
import org.quern.checkpoint.StoredCheckpoints;

/// Copies checkpoints into an object store in a thread of its own: whenever one was written, those that are to
/// be kept and are not in the store yet, the newest first. So one that failed is tried again with the next.
final class CheckpointUploads implements AutoCloseable {
    private static final long SHOWN_MILLIS = 200;

    private final StoredCheckpoints stored;
    private final Path folder;
    private final int keep;
    private final long keepEvery;
    private final Queue<TrainEvent> events = new ConcurrentLinkedQueue<>();
    private final AtomicLong newest = new AtomicLong(-1);

    /// Those written by this run, whatever the store has of these steps.
    private final NavigableSet<Long> unsent = new ConcurrentSkipListSet<>();
    private volatile UnderWay underWay;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("upload").factory());

    /// What is being copied.
    private record UnderWay(String place, long bytes, AtomicLong moved) {}

    /// @param folder of the checkpoints
    /// @param keep how many of the newest are kept
    /// @param keepEvery checkpoints whose step is a multiple of it are kept for good; 0: none
    CheckpointUploads(StoredCheckpoints stored, Path folder, int keep, long keepEvery) {
        this.stored = stored;
        underWay = new UnderWay(stored.place(), 1, new AtomicLong());
        this.folder = folder;
        this.keep = keep;
        this.keepEvery = keepEvery;
    }

    /// Says that a checkpoint was written, in place of what the store may have of its step; returns at once.
    void written(long step) {
        unsent.add(step);
        begin(step);
    }

    /// Says that there is a checkpoint from before; returns at once.
    void found(long step) {
        begin(step);
    }

    private void begin(long step) {
        newest.set(step);
        thread.execute(() -> {
            // Those that were written while the store was slow come with the newest.
            if (newest.get() == step) {
                upload(step);
            }
        });
    }

    /// Tells what became of uploads meanwhile.
    void poll(TrainEvent.Listener listener) {
        for (TrainEvent event = events.poll(); event != null; event = events.poll()) {
            listener.on(event);
        }
    }

    /// Waits for what is under way.
    void finish(Preparation progress, TrainEvent.Listener listener) {
        thread.shutdown();
        try {
            while (!thread.awaitTermination(SHOWN_MILLIS, TimeUnit.MILLISECONDS)) {
                UnderWay upload = underWay;
                progress.update("uploading " + upload.place(), upload.moved().get(), upload.bytes());
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        poll(listener);
    }

    private void upload(long written) {
        long current = written;
        try {
            NavigableSet<Long> inStore = new TreeSet<>();
            stored.list().forEach(found -> inStore.add(found.step()));
            inStore.removeAll(unsent);
            NavigableMap<Long, Path> here = new TreeMap<>();
            Checkpoints.list(folder).stream()
                    .filter(found -> !found.quarantined() && found.step() <= written)
                    .forEach(found -> here.put(found.step(), found.folder()));
            NavigableSet<Long> all = new TreeSet<>(here.keySet());
            all.addAll(inStore);
            NavigableSet<Long> missing = Checkpoints.kept(all, written, keep, keepEvery);
            missing.retainAll(here.keySet());
            missing.removeAll(inStore);
            for (long step : missing.descendingSet()) {
                current = step;
                upload(step, here.get(step));
            }
            stored.retain(written, keep, keepEvery);
        } catch (RuntimeException e) {
            // What was removed meanwhile need not be kept any more.
            if (Files.exists(Checkpoints.folder(folder, current))) {
                events.add(new TrainEvent.CheckpointUploadFailed(current, e.getMessage()));
            }
        }
    }

    private void upload(long step, Path checkpoint) {
        long began = System.nanoTime();
        Checkpoint opened = new Checkpoint(checkpoint, step);
        long bytes = opened.bytes();
        UnderWay upload = new UnderWay(stored.place(step), bytes, new AtomicLong());
        underWay = upload;
        stored.upload(opened, upload.moved()::addAndGet);
        unsent.remove(step);
        events.add(
                new TrainEvent.CheckpointUploaded(step, stored.place(step), bytes, (System.nanoTime() - began) / 1e9));
    }

    /// Gives up what is under way, which the next start of the run does again.
    @Override
    public void close() {
        thread.shutdownNow();
    }
}
