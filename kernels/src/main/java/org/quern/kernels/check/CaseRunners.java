package org.quern.kernels.check;

import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.quern.kernels.cuda.KernelDevice;

/// Runs cases on as many devices as there are threads, in the order in which they are submitted.
final class CaseRunners implements AutoCloseable {
    private final ExecutorService threads;
    private final BlockingQueue<CaseRunner> idle = new LinkedBlockingQueue<>();
    private boolean abandoned;

    CaseRunners(String name, int count, Supplier<KernelDevice> opener, long seed, boolean hardware) {
        // Daemons, so that the program can end while a device hangs.
        threads = Executors.newFixedThreadPool(
                count,
                Thread.ofPlatform().name("check-" + name + "-", 0).daemon().factory());
        for (int i = 0; i < count; i++) {
            idle.add(new CaseRunner(opener, seed, hardware));
        }
    }

    /// @param stopped asked when the case's turn comes: a reason to leave it out, or nothing
    Future<CaseRun> submit(KernelCase kernelCase, Supplier<String> stopped) {
        return threads.submit(() -> {
            String reason = stopped.get();
            if (!reason.isEmpty()) {
                return CaseRun.leftOut(reason);
            }
            CaseRunner runner = idle.remove();
            try {
                return runner.run(kernelCase);
            } finally {
                idle.add(runner);
            }
        });
    }

    static CaseRun await(Future<CaseRun> future, Duration limit) throws TimeoutException {
        try {
            return future.get(limit.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /// [#close] does not wait for what still runs.
    void abandon() {
        abandoned = true;
    }

    @Override
    public void close() {
        if (abandoned) {
            threads.shutdownNow();
            return;
        }
        threads.close();
        idle.forEach(CaseRunner::close);
    }
}
