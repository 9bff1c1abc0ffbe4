package org.quern.collective;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;

/// The way to one other worker: a connection for data, on which both know what comes next, and one for
/// bad news, which must not wait behind data.
///
/// A frame of data has the number of its call, its length, and so many bytes; it must be as long as
/// expected.
final class TcpLink {
    static final int MOST_FRAME_BYTES = 1 << 19;
    private static final int HEADER_BYTES = Long.BYTES + Integer.BYTES;

    final int rank;
    final SocketChannel control;
    private final SocketChannel data;
    private final String address;
    private final Deque<ByteBuffer> outgoing = new ArrayDeque<>();
    private final Deque<Expected> incoming = new ArrayDeque<>();
    private final ByteBuffer header = ByteBuffer.allocateDirect(HEADER_BYTES);
    private SelectionKey key;
    /// Whether the other has said that it leaves.
    volatile boolean hasLeft;

    private record Expected(ByteBuffer target, Consumer<ByteBuffer> whenComplete) {}

    TcpLink(int rank, SocketChannel control, SocketChannel data) throws IOException {
        this.rank = rank;
        this.control = control;
        this.data = data;
        address = data.getRemoteAddress().toString();
    }

    void register(Selector selector) throws IOException {
        data.configureBlocking(false);
        key = data.register(selector, 0, this);
    }

    /// Queues a frame; its bytes must stay as they are until [#isIdle].
    void send(long call, ByteBuffer bytes) {
        outgoing.add(ByteBuffer.allocate(HEADER_BYTES)
                .putLong(call)
                .putInt(bytes.remaining())
                .flip());
        outgoing.add(bytes);
    }

    /// Expects a frame that fills the buffer.
    void receive(ByteBuffer target, Consumer<ByteBuffer> whenComplete) {
        incoming.add(new Expected(target, whenComplete));
    }

    boolean isIdle() {
        return outgoing.isEmpty() && incoming.isEmpty();
    }

    /// Whether the other keeps this one waiting.
    boolean isOwed() {
        return !incoming.isEmpty();
    }

    /// Asks the selector for what there is to do.
    void updateInterest() {
        key.interestOps(
                (outgoing.isEmpty() ? 0 : SelectionKey.OP_WRITE) | (incoming.isEmpty() ? 0 : SelectionKey.OP_READ));
    }

    /// Sends and receives what can be without waiting.
    ///
    /// @return whether there was anything
    /// @throws IOException if the connection is lost, or carries something else than is expected
    boolean progress(long call) throws IOException {
        boolean any = false;
        while (!outgoing.isEmpty()) {
            any |= data.write(outgoing.peek()) > 0;
            if (outgoing.peek().hasRemaining()) {
                break;
            }
            outgoing.remove();
        }
        while (!incoming.isEmpty()) {
            ByteBuffer target = header.hasRemaining() ? header : incoming.peek().target;
            int bytes = target.hasRemaining() ? data.read(target) : 0;
            if (bytes < 0) {
                throw new IOException("it closed its connection");
            }
            any |= bytes > 0;
            if (target.hasRemaining()) {
                break;
            }
            if (target == header) {
                checkHeader(call, incoming.peek().target.remaining());
            }
            if (!header.hasRemaining() && !incoming.peek().target.hasRemaining()) {
                header.clear();
                Expected complete = incoming.remove();
                complete.whenComplete.accept(complete.target.flip());
            }
        }
        return any;
    }

    private void checkHeader(long call, int bytes) throws IOException {
        long itsCall = header.getLong(0);
        int length = header.getInt(Long.BYTES);
        if (itsCall != call || length != bytes) {
            throw new IOException("it sent %d bytes of call %d, where %d bytes of call %d were expected"
                    .formatted(length, itsCall, bytes, call));
        }
    }

    void close() {
        for (SocketChannel channel : List.of(control, data)) {
            try {
                channel.close();
            } catch (IOException _) {
                // It is gone already.
            }
        }
    }

    @Override
    public String toString() {
        return "worker %d (%s)".formatted(rank, address);
    }
}
