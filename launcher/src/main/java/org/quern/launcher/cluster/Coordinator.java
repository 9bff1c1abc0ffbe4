package org.quern.launcher.cluster;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.quern.launcher.cluster.Greeting.Hello;
import org.quern.launcher.cluster.Greeting.Refused;
import org.quern.launcher.cluster.Greeting.Welcome;
import org.quern.launcher.cluster.NodeCommand.Ping;

/// Node 0's door: lets the launchers of the other machines in, and connects them with the job.
///
/// Strangers are few at a time, have little time to show that they know the token, and cannot make it hold more than a
/// frame each.
final class Coordinator implements Closeable {
    static final Duration HELLO_LIMIT = Duration.ofSeconds(5);
    static final int MOST_STRANGERS = 256;

    private static final Duration LEAVE_LIMIT = Duration.ofSeconds(3);
    private static final int MOST_STRANGERS_OF_A_HOST = 64;
    /// A node that does not read so many commands is lost.
    private static final int MOST_COMMANDS = 100;

    private final Job job;
    private final Hello mine;
    private final byte[] token;
    private final ServerSocket server;
    private final Semaphore strangers = new Semaphore(MOST_STRANGERS);
    private final Map<InetAddress, Integer> strangersByHost = new HashMap<>();
    private final Map<Integer, Job.Node> members = new HashMap<>();
    private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(
            task -> Thread.ofPlatform().daemon().name("rendezvous' clock").unstarted(task));

    /// @param mine what this node would say: others must agree
    /// @param server where it listens
    Coordinator(Job job, Hello mine, byte[] token, ServerSocket server) {
        this.job = job;
        this.mine = mine;
        this.token = token;
        this.server = server;
        Thread.ofPlatform().daemon().name("rendezvous").start(this::listen);
        clock.scheduleAtFixedRate(this::ping, 1, 1, TimeUnit.SECONDS);
    }

    /// Lets the others go first, who were told that the job has ended.
    @Override
    public void close() throws IOException {
        server.close();
        clock.shutdownNow();
        long deadline = System.nanoTime() + LEAVE_LIMIT.toNanos();
        synchronized (members) {
            while (!members.isEmpty() && System.nanoTime() < deadline) {
                try {
                    members.wait(LEAVE_LIMIT.toMillis());
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    return;
                }
            }
        }
    }

    private void listen() {
        while (!server.isClosed()) {
            try {
                Socket socket = server.accept();
                if (!admit(socket)) {
                    socket.close();
                }
            } catch (IOException _) {
                // A caller that went away, or the end.
            }
        }
    }

    private boolean admit(Socket socket) {
        if (!strangers.tryAcquire()) {
            return false;
        }
        InetAddress host = socket.getInetAddress();
        synchronized (strangersByHost) {
            if (strangersByHost.merge(host, 1, Integer::sum) > MOST_STRANGERS_OF_A_HOST) {
                forget(host);
                return false;
            }
        }
        ScheduledFuture<?> deadline =
                clock.schedule(() -> close(socket), HELLO_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        Thread.ofVirtual().name("rendezvous with " + host).start(() -> {
            try (socket) {
                LauncherChannel channel;
                Hello hello;
                try {
                    channel = LauncherChannel.accept(socket, token);
                    hello = hello(channel);
                } finally {
                    deadline.cancel(false);
                    forget(host);
                }
                greet(channel, hello);
            } catch (IOException _) {
                // Strangers that do not know the token deserve no line in the log each.
            }
        });
        return true;
    }

    private void forget(InetAddress host) {
        synchronized (strangersByHost) {
            strangersByHost.compute(host, (_, count) -> count == 1 ? null : count - 1);
        }
        strangers.release();
    }

    private static Hello hello(LauncherChannel channel) throws IOException {
        try {
            if (channel.receive(Greeting.class) instanceof Hello hello) {
                return hello;
            }
            throw new IOException("no hello");
        } catch (LauncherChannel.OtherTokenException e) {
            channel.refuseToken();
            throw e;
        }
    }

    private void greet(LauncherChannel channel, Hello hello) throws IOException {
        BlockingQueue<NodeCommand> commands = new ArrayBlockingQueue<>(MOST_COMMANDS);
        Job.Node node = new Job.Node(channel.remote().toString().replaceFirst("^/", ""), hello.workers(), command -> {
            if (!commands.offer(command)) {
                close(channel);
            }
        });
        Greeting answer = answer(hello, node);
        channel.send((Record) answer);
        if (!(answer instanceof Welcome)) {
            return;
        }
        job.join(hello.node(), node);
        Thread writer = Thread.ofVirtual().start(() -> write(channel, commands));
        String reason = "closed its connection: its launcher has ended";
        try {
            while (true) {
                job.on(hello.node(), channel.receive(NodeEvent.class));
            }
        } catch (IOException e) {
            reason = e.getMessage() == null ? reason : "cannot be reached: " + e.getMessage();
        } finally {
            synchronized (members) {
                members.remove(hello.node(), node);
                members.notifyAll();
            }
            writer.interrupt();
            job.leave(hello.node(), node, reason);
        }
    }

    private Greeting answer(Hello hello, Job.Node node) {
        if (!hello.version().equals(mine.version())) {
            return new Refused("node 0 runs Quern %s, this is %s".formatted(mine.version(), hello.version()), false);
        }
        if (!hello.config().equals(mine.config())) {
            return new Refused(difference(mine.config(), hello.config()), false);
        }
        if (hello.nodes() != mine.nodes() || hello.node() < 1 || hello.node() >= mine.nodes() || hello.workers() < 1) {
            return new Refused(
                    "node 0 counts %d nodes: this is node %d of %d with %d workers"
                            .formatted(mine.nodes(), hello.node(), hello.nodes(), hello.workers()),
                    false);
        }
        synchronized (members) {
            return members.putIfAbsent(hello.node(), node) == null
                    ? new Welcome()
                    : new Refused("there is a node %d already".formatted(hello.node()), true);
        }
    }

    private static String difference(String mine, String theirs) {
        List<String> here = mine.lines().toList();
        List<String> there = theirs.lines().toList();
        int line = 0;
        while (line < here.size() && line < there.size() && here.get(line).equals(there.get(line))) {
            line++;
        }
        return "its configuration is not that of node 0: that has%s, this has%s"
                .formatted(line(here, line), line(there, line));
    }

    private static String line(List<String> lines, int index) {
        return index < lines.size() ? " '%s'".formatted(lines.get(index).strip()) : " no more";
    }

    private static void write(LauncherChannel channel, BlockingQueue<NodeCommand> commands) {
        try {
            while (true) {
                NodeCommand command = commands.take();
                channel.send((Record) command);
            }
        } catch (InterruptedException _) {
            // The connection has ended.
        } catch (IOException _) {
            close(channel);
        }
    }

    private void ping() {
        synchronized (members) {
            members.values().forEach(node -> node.commands().accept(new Ping()));
        }
    }

    private static void close(Closeable closeable) {
        try {
            closeable.close();
        } catch (IOException _) {
            // It is of no use any more.
        }
    }
}
