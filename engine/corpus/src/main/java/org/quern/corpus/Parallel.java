package org.quern.corpus;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

/// Work on several threads of this process.
public final class Parallel {
    private Parallel() {}

    /// The results in the order of the tasks. The first that fails ends all.
    ///
    /// @throws QuernException when this thread is interrupted
    public static <T> List<T> all(List<? extends Callable<T>> tasks, int threads) {
        List<Future<T>> futures = new ArrayList<>();
        List<T> results = new ArrayList<>();
        try (ExecutorService executor = Executors.newFixedThreadPool(Math.clamp(tasks.size(), 1, threads))) {
            tasks.forEach(task -> futures.add(executor.submit(task)));
            try {
                for (Future<T> future : futures) {
                    results.add(future.get());
                }
            } finally {
                executor.shutdownNow();
            }
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new QuernException(ExitCode.PREEMPTED, "stopped: the same command goes on from here", e);
        }
        return results;
    }
}
