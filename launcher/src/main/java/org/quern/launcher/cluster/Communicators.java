package org.quern.launcher.cluster;

import java.time.Duration;
import org.quern.collective.Communicator;
import org.quern.collective.SharedMemoryCommunicator;

/// How a worker reaches the others.
public final class Communicators {
    /// The launcher sees earlier who hangs, and knows better: workers may wait long for one that prepares the data.
    private static final Duration WATCHED = Duration.ofDays(1);

    private Communicators() {}

    /// For a worker that a launcher has started.
    ///
    /// @param calls counts the communicator's
    public static Communicator join(Assignment worker, CallCount calls) {
        String memory = worker.collective().substring(Assignment.SHARED.length());
        return new CountedCommunicator(
                SharedMemoryCommunicator.join(memory, worker.rank(), worker.world(), worker.epoch(), WATCHED), calls);
    }
}
