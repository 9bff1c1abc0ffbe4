package org.quern.launcher.cluster;

import java.util.List;

/// What the launcher of a machine tells that of node 0.
sealed interface NodeEvent {
    /// How its workers are; comes at least every second.
    record Beat(long epoch, List<WorkerState> workers) implements NodeEvent {}

    /// A worker failed.
    record Failed(long epoch, Failure failure) implements NodeEvent {}

    /// No worker of the attempt is left.
    ///
    /// @param code 0 if all have ended with the run done, 75 if they were stopped, else without meaning
    record Stopped(long epoch, int code) implements NodeEvent {}

    /// A signal came.
    record Asked(WorkerRequest request) implements NodeEvent {}

    /// @param silentMillis since the last sign of life
    /// @param stuckMillis since training last went on
    /// @param calls collective calls begun
    /// @param call the one under way, or empty
    /// @param cpu processors it kept busy since the last time
    /// @param memoryBytes of its memory that are in the machine's
    record WorkerState(
            int rank,
            long pid,
            long silentMillis,
            long stuckMillis,
            long calls,
            String call,
            double cpu,
            long memoryBytes) {}
}
