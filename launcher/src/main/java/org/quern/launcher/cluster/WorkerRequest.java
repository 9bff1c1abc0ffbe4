package org.quern.launcher.cluster;

/// What workers are asked to do.
public enum WorkerRequest {
    /// Write a checkpoint and go on.
    SAVE,
    /// Write a checkpoint and end.
    STOP
}
