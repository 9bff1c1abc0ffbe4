package org.quern.collective;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// What workers tell each other beside the data, each of them once at most: why the group has ended, or that
/// this one leaves.
///
/// Whoever hears of a failure tells all the others before it closes anything, and waits for the ends of their
/// streams: a connection that is closed without a word is one of a worker that died.
final class TcpNews {
    private static final int MOST_REASON_BYTES = 1024;
    /// Others read, and end their streams, within less, unless they are halted or out of reach.
    private static final Duration END_LIMIT = Duration.ofSeconds(1);
    /// The end of a worker's data and that of its news come together, as far as the scheduler lets them.
    private static final Duration NEWS_LIMIT = Duration.ofSeconds(10);

    private final List<TcpLink> links;
    private final Runnable arrival;
    private final List<Thread> listeners = new ArrayList<>();
    private final CountDownLatch told = new CountDownLatch(1);
    /// Why the group has ended, if it has.
    private volatile String failure;

    /// @param arrival is called when something is heard
    TcpNews(List<TcpLink> links, Runnable arrival) {
        this.links = links;
        this.arrival = arrival;
        for (TcpLink link : links) {
            listeners.add(
                    Thread.ofVirtual().name("collective-control-" + link.rank).start(() -> listen(link)));
        }
    }

    /// Why the group has ended, if it has.
    Optional<String> failure() {
        return Optional.ofNullable(failure);
    }

    /// @throws CommunicatorException if the group has ended
    void throwIfFailed() {
        String reason = failure;
        if (reason != null) {
            throw new CommunicatorException(reason);
        }
    }

    /// Tells everybody, if this is the first that is wrong.
    void fail(String reason) {
        if (end(reason)) {
            byte[] text = reason.getBytes(StandardCharsets.UTF_8);
            tell(Arrays.copyOf(text, Math.min(text.length, MOST_REASON_BYTES)));
        }
    }

    /// Says that this worker needs the others no more. If the group has failed, returns when they know it.
    void leave(String reason) {
        if (end(reason)) {
            tell(new byte[0]);
            return;
        }
        try {
            told.await();
            long deadline = System.nanoTime() + END_LIMIT.toNanos();
            for (Thread listener : listeners) {
                listener.join(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /// Why a worker's data ended may still be under way on its connection for news, or on another's.
    synchronized void await(TcpLink link) {
        long deadline = System.nanoTime() + NEWS_LIMIT.toNanos();
        try {
            while (failure == null && !link.hasLeft && System.nanoTime() < deadline) {
                wait(TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime()) + 1);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /// @return whether this is the first reason
    private synchronized boolean end(String reason) {
        if (failure != null) {
            return false;
        }
        failure = reason;
        announce();
        return true;
    }

    private synchronized void announce() {
        notifyAll();
        arrival.run();
    }

    /// Bad news, after which the stream ends; none at all is a farewell.
    private void tell(byte[] text) {
        for (TcpLink link : links) {
            ByteBuffer news = ByteBuffer.allocate(Integer.BYTES + text.length).putInt(text.length);
            try {
                link.control.write(news.put(text).flip());
                link.control.shutdownOutput();
            } catch (IOException _) {
                // It has its own bad news.
            }
        }
        told.countDown();
    }

    /// Waits for bad news from a worker, or for its end.
    private void listen(TcpLink link) {
        try {
            ByteBuffer length = ByteBuffer.allocate(Integer.BYTES);
            readFully(link.control, length);
            int bytes = length.flip().getInt();
            if (bytes == 0) {
                link.hasLeft = true;
                announce();
                return;
            }
            ByteBuffer text = ByteBuffer.allocate(Math.clamp(bytes, 0, MOST_REASON_BYTES));
            readFully(link.control, text);
            fail(StandardCharsets.UTF_8.decode(text.flip()).toString());
            link.control.read(ByteBuffer.allocate(1)); // its end
        } catch (IOException e) {
            fail("%s died: %s".formatted(link, e.getMessage()));
        }
    }

    private static void readFully(SocketChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new IOException("its connection was closed");
            }
        }
    }
}
