package org.quern.launcher.cluster;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.train.TrainEvent;

/// A job as the launcher of a machine runs it.
///
/// @param role which machine it is
/// @param workers how many it starts
/// @param program command line of a worker
/// @param logs folder of what the workers print
/// @param display gets what people should see, a line each
/// @param training gets the events of the run, on node 0
public record Launch(
        Role.Launcher role,
        int workers,
        List<String> program,
        RunConfig.Workers limits,
        Path logs,
        Consumer<String> display,
        TrainEvent.Listener training) {
    private static final String LOOPBACK = "127.0.0.1";
    private static final Duration SLOWEST_BEAT = Duration.ofSeconds(1);

    /// Hears what signals ask for.
    public interface Signals {
        void forward(Consumer<WorkerRequest> to);
    }

    /// Runs the job to its end.
    ///
    /// @return its exit code
    public int run(Signals signals) throws InterruptedException {
        Job job = new Job(limits, role.nodes(), nextEpoch(), this::table, display, training);
        try (NodeWorkers here =
                new NodeWorkers(program, logs, beat(), display, job::on, event -> job.on(role.node(), event))) {
            signals.forward(request -> job.on(role.node(), new NodeEvent.Asked(request)));
            job.join(role.node(), new Job.Node(LOOPBACK, workers, here::perform));
            return job.run();
        }
    }

    private Duration beat() {
        Duration often = Duration.ofNanos((long) (Math.min(limits.timeout(), limits.stepTimeout()) * 1e9 / 8));
        return often.compareTo(SLOWEST_BEAT) < 0 ? often : SLOWEST_BEAT;
    }

    /// Ranks go from node to node.
    private Map<Integer, List<Assignment>> table(long epoch, Map<Integer, Job.Node> nodes) {
        int world = nodes.values().stream().mapToInt(Job.Node::workers).sum();
        Address master = new Address(LOOPBACK, freePort());
        Map<Integer, List<Assignment>> table = new LinkedHashMap<>();
        int[] rank = {0};
        nodes.forEach((index, node) -> {
            List<Assignment> workers = new ArrayList<>();
            for (int local = 0; local < node.workers(); local++) {
                workers.add(new Assignment(
                        rank[0]++,
                        world,
                        local,
                        node.workers(),
                        index,
                        nodes.size(),
                        epoch,
                        master,
                        Assignment.SHARED));
            }
            table.put(index, workers);
        });
        return table;
    }

    private static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw QuernException.io("no port is free: " + e.getMessage(), e);
        }
    }

    /// Attempts are counted over all starts of the run.
    private long nextEpoch() {
        if (!Files.isDirectory(logs)) {
            return 0;
        }
        try (Stream<Path> before = Files.list(logs)) {
            return before.map(path -> path.getFileName().toString())
                            .filter(name -> name.matches("attempt-\\d{1,9}"))
                            .mapToLong(name -> Long.parseLong(name.substring("attempt-".length())))
                            .max()
                            .orElse(-1)
                    + 1;
        } catch (IOException e) {
            throw QuernException.io("%s cannot be read: %s".formatted(logs, e), e);
        }
    }
}
