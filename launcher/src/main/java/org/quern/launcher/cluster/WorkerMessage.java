package org.quern.launcher.cluster;

import org.quern.train.TrainEvent;

/// What a worker tells its launcher, a line each on its standard output; other lines there are for people.
sealed interface WorkerMessage {
    /// What a line begins with.
    String MARK = "@quern ";

    /// A sign of life.
    ///
    /// @param progress grows as long as training goes on
    /// @param calls collective calls begun
    /// @param call the one under way, or empty
    record Beat(long progress, long calls, String call) implements WorkerMessage {}

    /// An event of the run, as JSON; the worker of rank 0 tells them.
    record Event(String event) implements WorkerMessage {
        static Event of(TrainEvent event) {
            return new Event(Tagged.write((Record) event));
        }

        TrainEvent training() {
            return Tagged.read(TrainEvent.class, event);
        }
    }

    /// The worker has rehearsed, and waits for its place.
    record Ready() implements WorkerMessage {}

    /// The worker is about to end as it should.
    ///
    /// @param complete whether the run is done, otherwise it was stopped on request
    record Ended(boolean complete) implements WorkerMessage {}
}
