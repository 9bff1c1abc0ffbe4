package org.quern.launcher.cluster;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.launcher.cluster.Greeting.Hello;
import org.quern.launcher.cluster.Greeting.Refused;
import org.quern.launcher.cluster.Greeting.Welcome;
import org.quern.launcher.cluster.NodeCommand.Bye;

/// A launcher's end of its connection with that of node 0.
final class RemoteLauncher {
    private static final Duration RETRY = Duration.ofMillis(500);
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);

    private final LauncherChannel channel;

    private RemoteLauncher(LauncherChannel channel) {
        this.channel = channel;
    }

    /// Goes to node 0, which may not be there yet.
    ///
    /// @param limit how long to try
    /// @param patience how long node 0 may say nothing
    /// @throws QuernException if it does not let this node in
    static RemoteLauncher join(
            Address address, Hello hello, byte[] token, Duration limit, Duration patience, Consumer<String> display)
            throws InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        String problem = "";
        while (System.nanoTime() < deadline) {
            try {
                return new RemoteLauncher(greet(address, hello, token, patience));
            } catch (LauncherChannel.OtherTokenException e) {
                throw new QuernException(
                        ExitCode.DATA,
                        "%s has another token: all nodes need the same in %s or %s, or a run's folder that they share"
                                .formatted(address, JobToken.FILE, JobToken.VALUE),
                        e);
            } catch (IOException e) {
                if (!e.toString().equals(problem)) {
                    problem = e.toString();
                    display.accept("waiting for node 0 at %s (%s)".formatted(address, problem));
                }
                Thread.sleep(RETRY);
            }
        }
        throw new QuernException(
                ExitCode.RETRYABLE,
                "node 0 at %s did not answer within %d s: %s".formatted(address, limit.toSeconds(), problem));
    }

    private static LauncherChannel greet(Address address, Hello hello, byte[] token, Duration patience)
            throws IOException {
        Socket socket = new Socket();
        boolean done = false;
        try {
            socket.connect(new InetSocketAddress(address.host(), address.port()), (int) CONNECT_LIMIT.toMillis());
            socket.setSoTimeout((int) CONNECT_LIMIT.toMillis());
            LauncherChannel channel = LauncherChannel.call(socket, token);
            channel.send(hello);
            switch (channel.receive(Greeting.class)) {
                case Welcome _ -> done = true;
                case Refused refused when refused.mayRetry() -> throw new IOException(refused.reason());
                case Refused refused ->
                    throw new QuernException(
                            ExitCode.DATA, "node 0 at %s refused this node: %s".formatted(address, refused.reason()));
                case Hello _ -> throw new IOException("a hello is no answer");
            }
            channel.setPatience((int) patience.toMillis());
            return channel;
        } finally {
            if (!done) {
                socket.close();
            }
        }
    }

    void tell(NodeEvent event) {
        try {
            channel.send((Record) event);
        } catch (IOException _) {
            // A connection that is lost shows where it is read.
        }
    }

    /// Does what node 0 commands.
    ///
    /// @return the job's exit code, or nothing if node 0 is lost
    OptionalInt obey(NodeWorkers workers, Consumer<String> display) {
        try (channel) {
            while (true) {
                NodeCommand command = channel.receive(NodeCommand.class);
                if (command instanceof Bye bye) {
                    return OptionalInt.of(bye.code());
                }
                workers.perform(command);
            }
        } catch (IOException e) {
            display.accept("the launcher of node 0 is lost: " + (e.getMessage() == null ? "it ended" : e.getMessage()));
            return OptionalInt.empty();
        }
    }
}
