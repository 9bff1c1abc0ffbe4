package org.quern.launcher.cluster;

import java.util.Optional;

/// What this process is in a job.
public sealed interface Role {
    /// Who said so, with the variables that did.
    String source();

    /// A training process that something else started: torchrun, a scheduler with a task for each GPU.
    ///
    /// @param rank among all workers, 0 <= rank < world
    /// @param localRank among the workers of this machine
    /// @param node the machine, 0 <= node < nodes
    /// @param rendezvous where worker 0 listens
    record Worker(
            String source,
            int rank,
            int world,
            int localRank,
            int localWorld,
            int node,
            int nodes,
            Optional<Address> rendezvous)
            implements Role {}

    /// The process of a machine that starts its workers.
    ///
    /// @param workers of this machine: a number or `auto`, where it is said
    /// @param rendezvous where the launcher of node 0 listens
    record Launcher(String source, int node, int nodes, Optional<String> workers, Optional<Address> rendezvous)
            implements Role {}
}
