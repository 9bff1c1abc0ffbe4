package org.quern.collective;

import java.io.IOException;
import java.net.BindException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.quern.collective.TcpHandshake.Answer;
import org.quern.collective.TcpHandshake.Introduction;
import org.quern.collective.TcpHandshake.Introduction.Purpose;
import org.quern.collective.TcpHandshake.RefusedException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Connects all workers with each other: each calls those of lower rank. Worker 0 has a known address
/// and tells all where the others are, once they have called it.
final class TcpMesh {
    private static final Logger LOG = LoggerFactory.getLogger(TcpMesh.class);
    private static final int MOST_STRANGERS = 1024;
    private static final long RETRY_MILLIS = 50;
    private static final int MOST_ADDRESS_BYTES = 16;

    private final int rank;
    private final int world;
    private final long epoch;
    private final TcpHandshake handshake;
    private final Duration limit;
    private final long deadline;
    private final Semaphore strangers = new Semaphore(MOST_STRANGERS);
    /// By purpose and rank; guards all that the threads share that answer calls.
    private final SocketChannel[][] channels;

    private final Set<List<Integer>> welcomed = new HashSet<>();
    /// Where workers listen, as worker 0 has learnt.
    private final int[] ports;

    TcpMesh(int rank, int world, long epoch, byte[] token, Duration limit) {
        this.rank = rank;
        this.world = world;
        this.epoch = epoch;
        this.limit = limit;
        handshake = new TcpHandshake(token);
        deadline = System.nanoTime() + limit.toNanos();
        channels = new SocketChannel[Purpose.values().length][world];
        ports = new int[world];
    }

    /// @return a link to each worker, null to this one
    /// @throws CommunicatorException if not all come together in time
    TcpLink[] connect(InetSocketAddress first) {
        boolean done = false;
        try {
            if (rank == 0) {
                meet(first);
            } else {
                join(first);
            }
            TcpLink[] links = new TcpLink[world];
            for (int other = 0; other < world; other++) {
                if (other != rank) {
                    links[other] = new TcpLink(other, channel(Purpose.CONTROL, other), channel(Purpose.DATA, other));
                }
            }
            done = true;
            return links;
        } catch (IOException e) {
            throw new CommunicatorException("worker %d cannot reach the others: %s".formatted(rank, e.getMessage()), e);
        } finally {
            if (!done) {
                closeAll();
            }
        }
    }

    private SocketChannel channel(Purpose purpose, int other) {
        return channels[purpose.ordinal()][other];
    }

    private void meet(InetSocketAddress own) throws IOException {
        try (ServerSocketChannel listener = listen(awaitName(own))) {
            awaitCallers(listener);
            ByteBuffer table = ByteBuffer.allocate(world * (1 + MOST_ADDRESS_BYTES + Integer.BYTES));
            for (int other = 1; other < world; other++) {
                byte[] address = ((InetSocketAddress)
                                channel(Purpose.CONTROL, other).getRemoteAddress())
                        .getAddress()
                        .getAddress();
                table.put((byte) address.length).put(address).putInt(ports[other]);
            }
            byte[] bytes = new byte[table.position()];
            table.flip().get(bytes);
            for (int other = 1; other < world; other++) {
                handshake.sendTable(channel(Purpose.CONTROL, other).socket(), bytes);
            }
        }
    }

    private void join(InetSocketAddress first) throws IOException {
        try (ServerSocketChannel listener = listen(new InetSocketAddress(ownAddress(first), 0))) {
            int port = listener.socket().getLocalPort();
            for (Purpose purpose : Purpose.values()) {
                channels[purpose.ordinal()][0] = call(first, purpose, port);
            }
            InetSocketAddress[] others =
                    read(handshake.receiveTable(channel(Purpose.CONTROL, 0).socket(), deadline));
            for (int other = 1; other < rank; other++) {
                for (Purpose purpose : Purpose.values()) {
                    channels[purpose.ordinal()][other] = call(others[other], purpose, port);
                }
            }
            awaitCallers(listener);
        }
    }

    /// That by which this machine reaches the other. Nothing is sent.
    private InetAddress ownAddress(InetSocketAddress other) throws IOException {
        try (DatagramSocket socket = new DatagramSocket()) {
            socket.connect(awaitName(other));
            return socket.getLocalAddress();
        }
    }

    /// A name that is not known yet may become known: a pod's, say.
    private InetSocketAddress awaitName(InetSocketAddress address) throws IOException {
        InetSocketAddress resolved = address;
        while (resolved.isUnresolved()) {
            pauseBefore("its name is not known", address);
            resolved = new InetSocketAddress(address.getHostString(), address.getPort());
        }
        return resolved;
    }

    private InetSocketAddress[] read(byte[] bytes) throws IOException {
        ByteBuffer table = ByteBuffer.wrap(bytes);
        InetSocketAddress[] others = new InetSocketAddress[world];
        for (int other = 1; other < world; other++) {
            byte[] address = new byte[table.get()];
            table.get(address);
            others[other] = new InetSocketAddress(InetAddress.getByAddress(address), table.getInt());
        }
        return others;
    }

    private static ServerSocketChannel listen(InetSocketAddress address) throws IOException {
        ServerSocketChannel listener = ServerSocketChannel.open();
        try {
            listener.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            listener.bind(address);
            return listener;
        } catch (BindException e) {
            listener.close();
            throw new IOException("it cannot listen on %s: %s".formatted(address, e.getMessage()), e);
        }
    }

    /// Calls until somebody answers: workers do not start at the same moment.
    private SocketChannel call(InetSocketAddress address, Purpose purpose, int port) throws IOException {
        InetSocketAddress resolved = awaitName(address);
        while (true) {
            SocketChannel channel = SocketChannel.open();
            try {
                channel.socket().connect(resolved, (int) Math.max(1, millisLeft()));
                channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
                channel.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
                introduce(channel, purpose, port);
                return channel;
            } catch (RefusedException e) {
                channel.close();
                throw new IOException("%s: %s".formatted(address, e.getMessage()), e);
            } catch (IOException e) {
                channel.close();
                pauseBefore(e.getMessage(), address);
            }
        }
    }

    /// Waits a little before trying again.
    private void pauseBefore(String problem, InetSocketAddress address) throws IOException {
        if (millisLeft() < RETRY_MILLIS) {
            throw new IOException(
                    "%s has not answered for %.1f s: %s".formatted(address, limit.toMillis() / 1e3, problem));
        }
        try {
            Thread.sleep(RETRY_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private long millisLeft() {
        return TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
    }

    private void introduce(SocketChannel channel, Purpose purpose, int port) throws IOException {
        Answer answer = handshake.call(channel.socket(), new Introduction(epoch, world, rank, purpose, port));
        String problem = switch (answer) {
            case WELCOME -> "";
            case OTHER_EPOCH -> "the others are in another epoch than " + epoch;
            case OTHER_WORLD -> "the others are not %d workers".formatted(world);
            case RANK_TAKEN -> "there is a worker %d already".formatted(rank);
            case OTHER_TOKEN -> "the others have another token of the job";
        };
        if (!problem.isEmpty()) {
            throw new RefusedException(problem);
        }
    }

    /// Answers calls until all workers of higher rank have called.
    private void awaitCallers(ServerSocketChannel listener) throws IOException {
        Thread acceptor = Thread.ofVirtual().name("collective-accept").start(() -> accept(listener));
        synchronized (channels) {
            while (missing() >= 0) {
                if (millisLeft() <= 0) {
                    throw new IOException(
                            "worker %d has not called within %.1f s".formatted(missing(), limit.toMillis() / 1e3));
                }
                try {
                    channels.wait(millisLeft() + 1);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new IOException("interrupted", e);
                }
            }
        }
        acceptor.interrupt();
    }

    private int missing() {
        for (int other = rank + 1; other < world; other++) {
            for (Purpose purpose : Purpose.values()) {
                if (channel(purpose, other) == null) {
                    return other;
                }
            }
        }
        return -1;
    }

    private void accept(ServerSocketChannel listener) {
        try {
            while (true) {
                SocketChannel caller = listener.accept();
                if (strangers.tryAcquire()) {
                    Thread.ofVirtual().start(() -> welcome(caller));
                } else {
                    caller.close();
                }
            }
        } catch (IOException _) {
            // All are here, or it was given up.
        }
    }

    private void welcome(SocketChannel caller) {
        boolean isKept = false;
        try {
            caller.setOption(StandardSocketOptions.TCP_NODELAY, true);
            caller.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
            Optional<Introduction> worker = handshake.serve(caller.socket(), this::judge);
            if (worker.isPresent()) {
                isKept = true;
                synchronized (channels) {
                    channels[worker.get().purpose().ordinal()][worker.get().rank()] = caller;
                    ports[worker.get().rank()] = worker.get().port();
                    channels.notifyAll();
                }
            }
        } catch (RefusedException e) {
            LOG.warn("refused a connection: {}", e.getMessage());
        } catch (IOException e) {
            LOG.debug("lost a connection", e);
        } finally {
            strangers.release();
            if (!isKept) {
                close(caller);
            }
        }
    }

    private Answer judge(Introduction caller) {
        if (caller.epoch() != epoch) {
            return Answer.OTHER_EPOCH;
        }
        if (caller.world() != world || caller.rank() <= rank || caller.rank() >= world) {
            return Answer.OTHER_WORLD;
        }
        synchronized (channels) {
            return welcomed.add(List.of(caller.rank(), caller.purpose().ordinal()))
                    ? Answer.WELCOME
                    : Answer.RANK_TAKEN;
        }
    }

    private void closeAll() {
        synchronized (channels) {
            for (SocketChannel[] row : channels) {
                for (SocketChannel channel : row) {
                    if (channel != null) {
                        close(channel);
                    }
                }
            }
        }
    }

    private static void close(SocketChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.debug("close", e);
        }
    }
}
