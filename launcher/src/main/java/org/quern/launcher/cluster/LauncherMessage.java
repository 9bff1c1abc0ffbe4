package org.quern.launcher.cluster;

/// What a launcher tells a worker, a line each on its standard input.
sealed interface LauncherMessage {
    record Ask(WorkerRequest request) implements LauncherMessage {}

    /// Take this place. To one that stands by.
    record Begin(Assignment assignment) implements LauncherMessage {}
}
