package org.quern.launcher.cluster;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/// The place of a worker in an attempt, as its launcher tells it: in the variables of torchrun and a few of its own.
///
/// @param epoch number of the attempt, which keeps what is left of earlier ones out
/// @param master where worker 0 listens, if the workers talk by TCP
/// @param collective how the workers reach each other: [#SHARED] and the name of the memory, or [#TCP]
public record Assignment(
        int rank,
        int world,
        int localRank,
        int localWorld,
        int node,
        int nodes,
        long epoch,
        Address master,
        String collective) {
    /// In memory that the machine shares.
    static final String SHARED = "shm:";

    static final String TCP = "tcp";

    /// The epoch of what is no attempt.
    static final long REHEARSAL = -1;

    private static final String COLLECTIVE = "QUERN_COLLECTIVE";
    private static final String EPOCH = "QUERN_EPOCH";

    /// A place among the processes of a node that rehearse, to stand by.
    static Assignment rehearsal(int rank, int world, int node) {
        return new Assignment(rank, world, rank, world, node, 1, REHEARSAL, new Address("", 0), SHARED);
    }

    /// Whether this is no place in an attempt, but one to wait for it.
    public boolean rehearses() {
        return epoch == REHEARSAL;
    }

    Assignment withCollective(String other) {
        return new Assignment(rank, world, localRank, localWorld, node, nodes, epoch, master, other);
    }

    Map<String, String> environment() {
        Map<String, String> variables = new LinkedHashMap<>();
        variables.put("RANK", "" + rank);
        variables.put("WORLD_SIZE", "" + world);
        variables.put("LOCAL_RANK", "" + localRank);
        variables.put("LOCAL_WORLD_SIZE", "" + localWorld);
        variables.put("GROUP_RANK", "" + node);
        variables.put("GROUP_WORLD_SIZE", "" + nodes);
        variables.put("MASTER_ADDR", master.host());
        variables.put("MASTER_PORT", "" + master.port());
        variables.put("TORCHELASTIC_RESTART_COUNT", "" + epoch);
        variables.put(EPOCH, "" + epoch);
        variables.put(COLLECTIVE, collective);
        return variables;
    }

    /// What a launcher has told this process, if one has.
    public static Optional<Assignment> of(Map<String, String> environment) {
        return Optional.ofNullable(environment.get(COLLECTIVE))
                .map(collective -> new Assignment(
                        number(environment, "RANK"),
                        number(environment, "WORLD_SIZE"),
                        number(environment, "LOCAL_RANK"),
                        number(environment, "LOCAL_WORLD_SIZE"),
                        number(environment, "GROUP_RANK"),
                        number(environment, "GROUP_WORLD_SIZE"),
                        number(environment, EPOCH),
                        new Address(environment.get("MASTER_ADDR"), number(environment, "MASTER_PORT")),
                        collective));
    }

    private static int number(Map<String, String> environment, String name) {
        return Integer.parseInt(environment.get(name));
    }
}
