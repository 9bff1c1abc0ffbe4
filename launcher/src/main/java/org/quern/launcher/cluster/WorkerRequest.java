package org.quern.launcher.cluster;

/// What workers are asked to do, a line each on their standard input.
public enum WorkerRequest {
    /// Write a checkpoint and go on.
    SAVE,
    /// Write a checkpoint and end.
    STOP
}
