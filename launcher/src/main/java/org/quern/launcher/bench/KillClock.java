package org.quern.launcher.bench;

import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.quern.base.QuernException;

/// When what happened after a kill. Events come from any thread.
final class KillClock {
    private static final long LIMIT_NANOS = TimeUnit.MINUTES.toNanos(5);
    private static final int STEPS = 10;

    private long killedNanos;
    private long detectedNanos;
    private long startedNanos;
    private long steppedNanos;
    private int steps;
    private boolean standsBy;

    synchronized void detected() {
        if (detectedNanos == 0) {
            detectedNanos = System.nanoTime();
        }
    }

    /// Processes wait to take the places of those that will be killed.
    synchronized void standsBy() {
        standsBy = true;
        notifyAll();
    }

    /// An attempt begins; the steps of the one before are no steps of it.
    synchronized void started() {
        startedNanos = System.nanoTime();
        steps = 0;
    }

    synchronized void stepped() {
        if (steps++ == 0) {
            steppedNanos = System.nanoTime();
        }
        notifyAll();
    }

    /// Waits until some steps are done.
    ///
    /// @throws QuernException if none come
    synchronized void awaitSteps(String who) throws InterruptedException {
        await(() -> steps >= STEPS, who + " takes no steps");
    }

    /// Waits until processes stand by.
    ///
    /// @throws QuernException if none come
    synchronized void awaitStandby(String who) throws InterruptedException {
        await(() -> standsBy, who + " has nobody stand by");
    }

    private void await(BooleanSupplier condition, String otherwise) throws InterruptedException {
        long deadline = System.nanoTime() + LIMIT_NANOS;
        while (!condition.getAsBoolean()) {
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0) {
                throw QuernException.data(otherwise);
            }
            wait(left);
        }
    }

    /// Says that the kill happens now.
    synchronized void killed() {
        killedNanos = System.nanoTime();
        detectedNanos = 0;
        startedNanos = 0;
        standsBy = false;
        steps = Integer.MIN_VALUE;
    }

    synchronized RestartedGroup.Recovery recovery() {
        return new RestartedGroup.Recovery(
                (detectedNanos - killedNanos) / 1e6,
                (startedNanos - killedNanos) / 1e6,
                (steppedNanos - killedNanos) / 1e6);
    }
}
