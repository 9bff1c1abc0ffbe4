package org.quern.launcher.bench.gpu;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.quern.base.QuernException;
import org.quern.gpu.GpuException;
import org.quern.kernels.bench.ModelledTimes.Limit;

/// The limits of kernels that may need an explanation, counted by a thread while nothing is timed.
final class Models {
    private final List<String> names;
    private final Function<String, Map<String, Limit>> model;
    private final Map<String, Map<String, Limit>> limits = new ConcurrentHashMap<>();
    private final Thread thread = Thread.ofPlatform().daemon().name("models").unstarted(this::count);
    private boolean paused;

    /// @param names of kernels
    /// @param model limits of a kernel, by who runs it
    Models(List<String> names, Function<String, Map<String, Limit>> model) {
        this.names = names;
        this.model = model;
    }

    /// Those that are known, by the kernels' names.
    Map<String, Map<String, Limit>> limits() {
        return limits;
    }

    void start() {
        thread.start();
    }

    /// Begins nothing more for now.
    synchronized void pause() {
        paused = true;
    }

    /// Goes on to the end, unless it takes longer than somebody waits.
    void finish(Duration patience) {
        synchronized (this) {
            paused = false;
            notifyAll();
        }
        try {
            thread.join(patience);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private void count() {
        for (String name : names) {
            try {
                awaitTurn();
            } catch (InterruptedException _) {
                return;
            }
            try {
                limits.put(name, model.apply(name));
            } catch (GpuException | QuernException _) {
                // A kernel that cannot be assembled here has no model; the stage that assembles it says why.
            }
        }
    }

    private synchronized void awaitTurn() throws InterruptedException {
        while (paused) {
            wait();
        }
    }
}
