package org.quern.launcher.cluster;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.launcher.cluster.Role.Launcher;
import org.quern.launcher.cluster.Role.Worker;

/// Finds out what this process is in a job, from the command line and from the variables that torchrun and schedulers
/// set.
///
/// The first complete set wins, in the order of the methods below. A scheduler that starts one task on each machine
/// starts a launcher there, one that starts more starts the workers.
public final class RoleDetector {
    /// What the command line says.
    ///
    /// @param workers a number or `auto`
    public record Asked(
            Optional<String> workers,
            Optional<Integer> nodes,
            Optional<Integer> nodeRank,
            Optional<Address> rendezvous) {}

    /// Ports that Slurm's jobs can tell apart: no service is registered there.
    private static final int SLURM_FIRST_PORT = 61_000;

    private static final int SLURM_PORTS = 4_536;

    private final Variables variables;
    private final Asked asked;

    private RoleDetector(Map<String, String> environment, Asked asked) {
        this.variables = new Variables(environment);
        this.asked = asked;
    }

    /// @return empty for a process of its own
    /// @throws QuernException naming the variables, if they are wrong or contradict each other
    public static Optional<Role> detect(Map<String, String> environment, Asked asked) {
        return new RoleDetector(environment, asked).detect();
    }

    private Optional<Role> detect() {
        if (asked.nodes().isPresent() || asked.nodeRank().isPresent()) {
            return Optional.of(commandLine());
        }
        List<Role> found = Stream.of(
                        torchrun(),
                        slurm(),
                        openMpi(),
                        pmi(),
                        jobSet(),
                        indexedJob(),
                        kubeflow(),
                        volcano(),
                        skyPilot())
                .flatMap(Optional::stream)
                .toList();
        if (found.isEmpty()) {
            return asked.workers().map(_ -> alone("--workers"));
        }
        Role first = found.getFirst();
        found.forEach(other -> requireSame(first, other));
        return Optional.of(
                switch (first) {
                    case Worker worker -> asWorker(worker);
                    case Launcher launcher ->
                        new Launcher(
                                launcher.source(),
                                launcher.node(),
                                launcher.nodes(),
                                asked.workers().or(launcher::workers),
                                asked.rendezvous().or(launcher::rendezvous));
                });
    }

    private Worker asWorker(Worker worker) {
        if (asked.workers().isPresent()) {
            throw usage(
                    ("--workers goes with a process that starts workers, but this one was started as worker %d of %d"
                                    + " (%s): leave out --workers, or start one task a machine")
                            .formatted(worker.rank(), worker.world(), worker.source()));
        }
        return new Worker(
                worker.source(),
                worker.rank(),
                worker.world(),
                worker.localRank(),
                worker.localWorld(),
                worker.node(),
                worker.nodes(),
                asked.rendezvous().or(worker::rendezvous));
    }

    private static void requireSame(Role a, Role b) {
        boolean same = switch (a) {
            case Worker x when b instanceof Worker y -> x.rank() == y.rank() && x.world() == y.world();
            case Launcher x when b instanceof Launcher y -> x.node() == y.node() && x.nodes() == y.nodes();
            default -> true; // a worker that was started by the launcher of a machine
        };
        if (!same) {
            throw usage("%s contradicts %s: unset the wrong ones".formatted(words(a), words(b)));
        }
    }

    private static String words(Role role) {
        return switch (role) {
            case Worker w -> "worker %d of %d (%s)".formatted(w.rank(), w.world(), w.source());
            case Launcher l -> "node %d of %d (%s)".formatted(l.node(), l.nodes(), l.source());
        };
    }

    private Launcher alone(String source) {
        return new Launcher(source, 0, 1, asked.workers(), asked.rendezvous());
    }

    private Role commandLine() {
        int nodes = asked.nodes().orElseThrow(() -> usage("--node-rank goes with --nodes"));
        int node = asked.nodeRank()
                .orElseGet(() -> nodes == 1
                        ? 0
                        : variables
                                .number("JOB_COMPLETION_INDEX")
                                .orElseThrow(() -> usage("--nodes goes with --node-rank")));
        if (node >= nodes) {
            throw usage("--node-rank must be below --nodes %d: got %d".formatted(nodes, node));
        }
        return new Launcher(
                "--nodes, --node-rank",
                node,
                nodes,
                asked.workers(),
                asked.rendezvous().or(this::master));
    }

    private Optional<Role> torchrun() {
        if (variables.missing("RANK", "WORLD_SIZE") || variables.missing("LOCAL_RANK")) {
            return Optional.empty();
        }
        int world = variables.size("WORLD_SIZE");
        int localWorld = variables.number("LOCAL_WORLD_SIZE").orElse(world);
        int rank = variables.below("RANK", "WORLD_SIZE", world);
        int localRank = variables.below("LOCAL_RANK", "LOCAL_WORLD_SIZE", localWorld);
        return worker(
                "RANK, WORLD_SIZE, LOCAL_RANK",
                rank,
                world,
                localRank,
                localWorld,
                variables.number("GROUP_RANK").or(() -> variables.number("NODE_RANK")),
                master());
    }

    /// In a batch script without srun, SLURM_PROCID is 0 and says nothing.
    private Optional<Role> slurm() {
        if (variables.missing("SLURM_STEP_ID") && variables.missing("SLURM_STEPID")
                || variables.missing("SLURM_PROCID", "SLURM_NTASKS", "SLURM_NNODES")) {
            return Optional.empty();
        }
        String tasksVariable = variables.missing("SLURM_STEP_NUM_TASKS") ? "SLURM_NTASKS" : "SLURM_STEP_NUM_TASKS";
        String nodesVariable = variables.missing("SLURM_STEP_NUM_NODES") ? "SLURM_NNODES" : "SLURM_STEP_NUM_NODES";
        int tasks = variables.size(tasksVariable);
        int nodes = variables.size(nodesVariable);
        int rank = variables.below("SLURM_PROCID", tasksVariable, tasks);
        Optional<Address> first = variables
                .text("SLURM_STEP_NODELIST")
                .map(list -> new Address(
                        SlurmLists.firstHost(list),
                        SLURM_FIRST_PORT + variables.number("SLURM_JOB_ID").orElse(0) % SLURM_PORTS));
        String source = "SLURM_PROCID, " + tasksVariable + ", " + nodesVariable;
        if (tasks <= nodes) {
            return Optional.of(new Launcher(source, rank, tasks, Optional.empty(), master().or(() -> first)));
        }
        int node = variables.below("SLURM_NODEID", nodesVariable, nodes);
        int localWorld = variables
                .text("SLURM_STEP_TASKS_PER_NODE")
                .map(list -> SlurmLists.tasks(list, node))
                .orElse(tasks / nodes);
        int localRank = variables.below("SLURM_LOCALID", "the tasks of the node", localWorld);
        return Optional.of(
                new Worker(source, rank, tasks, localRank, localWorld, node, nodes, master().or(() -> first)));
    }

    private Optional<Role> openMpi() {
        return mpi(
                "OMPI_COMM_WORLD_RANK",
                "OMPI_COMM_WORLD_SIZE",
                "OMPI_COMM_WORLD_LOCAL_RANK",
                "OMPI_COMM_WORLD_LOCAL_SIZE");
    }

    private Optional<Role> pmi() {
        return mpi("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS");
    }

    private Optional<Role> mpi(String rankName, String worldName, String localRankName, String localWorldName) {
        if (variables.missing(rankName, worldName) || variables.missing(localRankName, localWorldName)) {
            return Optional.empty();
        }
        int world = variables.size(worldName);
        int localWorld = variables.size(localWorldName);
        int rank = variables.below(rankName, worldName, world);
        int localRank = variables.below(localRankName, localWorldName, localWorld);
        String source = String.join(", ", rankName, worldName, localRankName);
        return localWorld == 1
                ? Optional.of(new Launcher(source, rank, world, Optional.empty(), master()))
                : worker(source, rank, world, localRank, localWorld, Optional.empty(), master());
    }

    /// The manifest has to pass the size of the job, and the index of the job in its set.
    private Optional<Role> jobSet() {
        if (variables.missing("JOBSET_JOB_INDEX", "JOB_COMPLETION_INDEX", "QUERN_NODES")) {
            return Optional.empty();
        }
        int pods = variables.number("JOBSET_PODS_PER_JOB").orElse(1);
        int node = variables.size("JOBSET_JOB_INDEX", 0) * pods
                + variables.below("JOB_COMPLETION_INDEX", "JOBSET_PODS_PER_JOB", pods);
        return kubernetes("JOBSET_JOB_INDEX, JOB_COMPLETION_INDEX, QUERN_NODES", node);
    }

    private Optional<Role> indexedJob() {
        if (variables.missing("JOB_COMPLETION_INDEX", "QUERN_NODES") || !variables.missing("JOBSET_JOB_INDEX")) {
            return Optional.empty();
        }
        return kubernetes("JOB_COMPLETION_INDEX, QUERN_NODES", variables.size("JOB_COMPLETION_INDEX", 0));
    }

    private Optional<Role> kubernetes(String source, int node) {
        int nodes = variables.size("QUERN_NODES");
        if (node >= nodes) {
            throw usage("%s: the node must be below %d: got %d".formatted(source, nodes, node));
        }
        return Optional.of(new Launcher(source, node, nodes, Optional.empty(), master()));
    }

    private Optional<Role> kubeflow() {
        if (variables.missing("PET_NNODES", "PET_NODE_RANK")) {
            return Optional.empty();
        }
        int nodes = variables.size("PET_NNODES");
        int node = variables.below("PET_NODE_RANK", "PET_NNODES", nodes);
        Optional<String> workers = variables
                .text("PET_NPROC_PER_NODE")
                .map(text -> List.of("gpu", "cpu").contains(text) ? "auto" : text);
        return Optional.of(new Launcher(
                "PET_NNODES, PET_NODE_RANK", node, nodes, workers, address("PET_MASTER_ADDR", "PET_MASTER_PORT")));
    }

    /// Volcano's plugin for PyTorch, and Kubeflow's operator before its version 2, count pods.
    private Optional<Role> volcano() {
        if (!variables.missing("RANK", "WORLD_SIZE") && variables.missing("LOCAL_RANK")) {
            int nodes = variables.size("WORLD_SIZE");
            return Optional.of(new Launcher(
                    "RANK, WORLD_SIZE without LOCAL_RANK",
                    variables.below("RANK", "WORLD_SIZE", nodes),
                    nodes,
                    Optional.empty(),
                    master()));
        }
        List<String> hosts = variables.names("VC_\\w+_HOSTS");
        if (variables.missing("VC_TASK_INDEX") || hosts.size() != 1) {
            return Optional.empty();
        }
        String[] names = variables.text(hosts.getFirst()).orElseThrow().split(",");
        return Optional.of(new Launcher(
                "VC_TASK_INDEX, " + hosts.getFirst(),
                variables.below("VC_TASK_INDEX", hosts.getFirst(), names.length),
                names.length,
                Optional.empty(),
                Optional.of(Address.parse(names[0], hosts.getFirst()))));
    }

    private Optional<Role> skyPilot() {
        if (variables.missing("SKYPILOT_NODE_RANK", "SKYPILOT_NUM_NODES")) {
            return Optional.empty();
        }
        int nodes = variables.size("SKYPILOT_NUM_NODES");
        return Optional.of(new Launcher(
                "SKYPILOT_NODE_RANK, SKYPILOT_NUM_NODES",
                variables.below("SKYPILOT_NODE_RANK", "SKYPILOT_NUM_NODES", nodes),
                nodes,
                variables.text("SKYPILOT_NUM_GPUS_PER_NODE").filter(text -> !text.equals("0")),
                variables
                        .text("SKYPILOT_NODE_IPS")
                        .map(ips -> new Address(
                                ips.lines().findFirst().orElseThrow().strip(), Address.DEFAULT_PORT))));
    }

    /// A worker whose node nobody named: the machines have as many workers each.
    private Optional<Role> worker(
            String source,
            int rank,
            int world,
            int localRank,
            int localWorld,
            Optional<Integer> node,
            Optional<Address> rendezvous) {
        int nodes = Math.ceilDiv(world, localWorld);
        return Optional.of(new Worker(
                source, rank, world, localRank, localWorld, node.orElse(rank / localWorld), nodes, rendezvous));
    }

    private Optional<Address> master() {
        return address("MASTER_ADDR", "MASTER_PORT");
    }

    private Optional<Address> address(String host, String port) {
        return variables
                .text(host)
                .map(name -> Address.parse(
                        (name.contains(":") ? "[" + name + "]" : name)
                                + variables
                                        .text(port)
                                        .map(number -> ":" + number)
                                        .orElse(""),
                        host + ", " + port));
    }

    private static QuernException usage(String message) {
        return new QuernException(ExitCode.USAGE, message);
    }

    /// Variables by name, as what they should be.
    private record Variables(Map<String, String> all) {
        boolean missing(String... names) {
            return Stream.of(names).anyMatch(name -> text(name).isEmpty());
        }

        Optional<String> text(String name) {
            return Optional.ofNullable(all.get(name)).map(String::strip).filter(text -> !text.isEmpty());
        }

        Optional<Integer> number(String name) {
            return text(name).map(_ -> size(name, 0));
        }

        int size(String name) {
            return size(name, 1);
        }

        int size(String name, int least) {
            String text = text(name).orElseThrow(() -> usage(name + " is not set, but others of its kind are"));
            if (!text.matches("\\d{1,9}") || Integer.parseInt(text) < least) {
                throw usage("%s must be a whole number >= %d: got %s".formatted(name, least, text));
            }
            return Integer.parseInt(text);
        }

        int below(String name, String limitName, int limit) {
            int value = size(name, 0);
            if (value >= limit) {
                throw usage("%s must be below %d, of %s: got %d".formatted(name, limit, limitName, value));
            }
            return value;
        }

        List<String> names(String pattern) {
            List<String> names = new ArrayList<>(all.keySet());
            names.removeIf(name -> !name.matches(pattern));
            return names;
        }
    }
}
