package org.quern.launcher.cluster;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.base.Version;
import org.quern.config.RunConfig;
import org.quern.launcher.cluster.Greeting.Hello;
import org.quern.train.TrainEvent;

/// A job as the launcher of a machine runs it.
///
/// @param role which machine it is
/// @param workers how many it starts
/// @param config the configuration as it was resolved: all machines have the same
/// @param logs folder of what the workers print
/// @param display gets what people should see, a line each
/// @param training gets the events of the run, on node 0
public record Launch(
        Role.Launcher role,
        int workers,
        WorkerProgram program,
        RunConfig.Workers limits,
        String config,
        Path logs,
        Consumer<String> display,
        TrainEvent.Listener training) {
    private static final String LOOPBACK = "127.0.0.1";
    private static final Duration SLOWEST_BEAT = Duration.ofSeconds(1);
    private static final int BACKLOG = 1024;

    /// Hears what signals ask for.
    public interface Signals {
        void forward(Consumer<WorkerRequest> to);
    }

    /// Runs the job of one machine to its end.
    ///
    /// @return its exit code
    public int run(Signals signals) throws InterruptedException {
        return lead(signals, _ -> () -> {}, LOOPBACK, Launch::freePort);
    }

    /// Runs the job of several machines to its end.
    ///
    /// @param token the job's secret
    /// @return its exit code, the same on all
    public int run(Signals signals, byte[] token) throws InterruptedException {
        Address address = role.rendezvous()
                .orElseThrow(() -> new QuernException(
                        ExitCode.USAGE,
                        "with several nodes, --rendezvous HOST:PORT says where node 0 listens (or MASTER_ADDR)"));
        Hello hello =
                new Hello(role.node(), role.nodes(), workers, Version.current().toString(), config);
        if (role.node() > 0) {
            return follow(signals, address, hello, token);
        }
        // Workers talk by the next port.
        return lead(
                signals,
                job -> new Coordinator(job, hello, token, listening(address)),
                address.host(),
                () -> address.port() + 1);
    }

    private int lead(Signals signals, Door door, String host, IntSupplier port) throws InterruptedException {
        Job job = new Job(
                limits,
                role.nodes(),
                nextEpoch(),
                (epoch, nodes) -> table(epoch, nodes, new Address(host, port.getAsInt())),
                new JobRecord(logs),
                display,
                training);
        try (NodeWorkers here =
                        new NodeWorkers(program, logs, beat(), display, job::on, event -> job.on(role.node(), event));
                Closeable _ = door.open(job)) {
            signals.forward(request -> job.on(role.node(), new NodeEvent.Asked(request)));
            job.join(role.node(), new Job.Node("this machine", workers, here::perform));
            return job.run();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private int follow(Signals signals, Address address, Hello hello, byte[] token) throws InterruptedException {
        AtomicReference<RemoteLauncher> node0 = new AtomicReference<>();
        signals.forward(request -> {
            RemoteLauncher there = node0.get();
            if (there != null) {
                there.tell(new NodeEvent.Asked(request));
            } else if (request == WorkerRequest.STOP) {
                Runtime.getRuntime().halt(ExitCode.PREEMPTED.code()); // nothing has begun
            }
        });
        try (NodeWorkers here = new NodeWorkers(program, logs, beat(), display, _ -> {}, event -> {
            RemoteLauncher there = node0.get();
            if (there != null) {
                there.tell(event);
            }
        })) {
            while (true) {
                RemoteLauncher there = RemoteLauncher.join(
                        address, hello, token, seconds(limits.joinTimeout()), seconds(limits.timeout()), display);
                node0.set(there);
                OptionalInt code = there.obey(here, display);
                node0.set(null);
                if (code.isPresent()) {
                    return code.getAsInt();
                }
                here.kill();
                display.accept(
                        "the workers of this node have ended; when node 0 is started again, all go on (waiting %s s:"
                                        .formatted(limits.joinTimeout())
                                + " workers.join_timeout)");
            }
        }
    }

    /// What lets other machines in.
    private interface Door {
        Closeable open(Job job);
    }

    /// A name that stands for the machine itself only there, as in Debian's /etc/hosts, would let nobody in.
    private static ServerSocket listening(Address address) {
        try {
            InetAddress host = InetAddress.getByName(address.host());
            boolean isName = !address.host().matches("[0-9.]+|.*:.*|localhost");
            ServerSocket server = new ServerSocket();
            server.bind(
                    isName && host.isLoopbackAddress()
                            ? new InetSocketAddress(address.port())
                            : new InetSocketAddress(host, address.port()),
                    BACKLOG);
            return server;
        } catch (IOException e) {
            throw QuernException.io("node 0 cannot listen at %s".formatted(address), e);
        }
    }

    private Duration beat() {
        Duration often = seconds(Math.min(limits.timeout(), limits.stepTimeout()) / 8);
        return often.compareTo(SLOWEST_BEAT) < 0 ? often : SLOWEST_BEAT;
    }

    private static Duration seconds(double seconds) {
        return Duration.ofNanos((long) (seconds * 1e9));
    }

    /// Ranks go from node to node.
    private static Map<Integer, List<Assignment>> table(long epoch, Map<Integer, Job.Node> nodes, Address master) {
        int world = nodes.values().stream().mapToInt(Job.Node::workers).sum();
        String collective = nodes.size() == 1 ? Assignment.SHARED : Assignment.TCP;
        Map<Integer, List<Assignment>> table = new LinkedHashMap<>();
        int[] rank = {0};
        nodes.forEach((index, node) -> {
            List<Assignment> workers = new ArrayList<>();
            for (int local = 0; local < node.workers(); local++) {
                workers.add(new Assignment(
                        rank[0]++, world, local, node.workers(), index, nodes.size(), epoch, master, collective));
            }
            table.put(index, workers);
        });
        return table;
    }

    private static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw QuernException.io("no port is free", e);
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
            throw QuernException.io("%s cannot be read".formatted(logs), e);
        }
    }
}
