package org.quern.launcher.cluster;

import java.util.List;

/// What the launcher of node 0 tells that of a machine, itself included.
sealed interface NodeCommand {
    /// Start these workers.
    record Start(long epoch, List<Assignment> workers) implements NodeCommand {}

    /// Tell the workers.
    record Ask(WorkerRequest request) implements NodeCommand {}

    /// End the workers.
    ///
    /// @param graceMillis until they are killed
    record End(long epoch, long graceMillis) implements NodeCommand {}

    /// A sign of life.
    record Ping() implements NodeCommand {}

    /// The job has ended: exit with this code.
    record Bye(int code) implements NodeCommand {}
}
