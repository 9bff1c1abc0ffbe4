package org.quern.launcher.bench;

/// Two workers that train something small for as long as they are let, and start again when one is killed.
public interface RestartedGroup extends AutoCloseable {
    String name();

    /// Kills a worker that is at work, and waits until all are at work again.
    Recovery kill() throws InterruptedException;

    @Override
    void close();

    /// Milliseconds after the kill.
    ///
    /// @param detected whoever watches has said that the worker is dead
    /// @param started worker 0 of the next attempt is about to take a step; for torchrun it runs its first line
    /// @param stepped it has taken one
    record Recovery(double detected, double started, double stepped) {}
}
