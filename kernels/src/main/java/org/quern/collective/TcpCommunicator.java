package org.quern.collective;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/// Workers of several machines without GPUs, or of one where there is no [SharedMemory], through TCP:
/// the same sums to the last bit.
///
/// Every worker is connected with every other. Each sums its part of the data, and sends it to all; so
/// a worker sends and receives 2 (world - 1) / world times the data of an all-reduce. The network must
/// be private: see [TcpHandshake].
public final class TcpCommunicator extends Member {
    private static final int LEAST_TOKEN_BYTES = 16;
    private static final int LOOK_MILLIS = 1000;

    private final Duration limit;
    private final TcpLink[] links;
    private final Selector selector;
    private final TcpNews news;
    private final TreeSum sum;
    private final Arena arena = Arena.ofShared();
    /// What others hand over for a step of this worker's part.
    private final MemorySegment[] given;
    /// Held during a call.
    private final ReentrantLock calls = new ReentrantLock();
    private final ByteBuffer[] callBuffers;
    private long sequence;
    private Call current = Call.barrier();
    private boolean isClosed;

    private TcpCommunicator(int rank, int world, TcpLink[] links, Duration limit) throws IOException {
        super(rank, world, Place.HOST);
        this.links = links;
        this.limit = limit;
        sum = new TreeSum(world);
        selector = Selector.open();
        given = new MemorySegment[world];
        callBuffers = new ByteBuffer[world];
        for (TcpLink link : links) {
            if (link != null) {
                given[link.rank] = arena.allocate(TcpLink.MOST_FRAME_BYTES, Float.BYTES);
                callBuffers[link.rank] = ByteBuffer.allocate(Call.BYTES);
                link.register(selector);
            }
        }
        news = new TcpNews(Arrays.stream(links).filter(Objects::nonNull).toList(), selector::wakeup);
    }

    /// Becomes worker `rank`, once all are there.
    ///
    /// @param first where worker 0 listens; it binds to this address
    /// @param epoch a number of the attempt, which keeps workers of others out
    /// @param token the job's secret, the same for all, 16 bytes or more
    /// @param limit how long all may take to come together, and one may keep another waiting before it
    ///     counts as hung
    /// @throws CommunicatorException if they do not come together
    public static TcpCommunicator join(
            InetSocketAddress first, int rank, int world, long epoch, byte[] token, Duration limit) {
        Arguments.requireRank(rank, world);
        if (token.length < LEAST_TOKEN_BYTES) {
            throw new IllegalArgumentException(
                    "a job's token has %d bytes or more: got %d".formatted(LEAST_TOKEN_BYTES, token.length));
        }
        TcpLink[] links = new TcpMesh(rank, world, epoch, token, limit).connect(first);
        try {
            return new TcpCommunicator(rank, world, links, limit);
        } catch (IOException e) {
            throw new CommunicatorException("worker %d cannot use its connections: %s".formatted(rank, e), e);
        }
    }

    /// Why the group has ended, as soon as this is known: between calls, too.
    public Optional<String> failure() {
        return news.failure();
    }

    @Override
    public void allReduce(MemorySegment data, ElementType type) {
        long elements = Arguments.elements(data, type);
        long[] bounds = new long[world + 1];
        for (int i = 1; i <= world; i++) {
            bounds[i] = elements / world * i + Math.min(i, elements % world);
        }
        run(Call.allReduce(elements, type), new Transfer(data, bounds, type.bytes(), type, true, true));
    }

    @Override
    public void reduceScatter(MemorySegment data, long[] bounds, ElementType type) {
        Arguments.requireParts(bounds, world, Arguments.elements(data, type));
        run(
                Call.inParts(Call.Operation.REDUCE_SCATTER, bounds, type),
                new Transfer(data, bounds, type.bytes(), type, true, false));
    }

    @Override
    public void allGather(MemorySegment data, long[] bounds, ElementType type) {
        Arguments.requireParts(bounds, world, Arguments.elements(data, type));
        run(
                Call.inParts(Call.Operation.ALL_GATHER, bounds, type),
                new Transfer(data, bounds, type.bytes(), type, false, true));
    }

    /// An all-gather in which one worker has everything.
    @Override
    public void broadcast(MemorySegment data, int root) {
        Arguments.requireNative(data);
        Arguments.requireRank(root, world);
        long[] bounds = new long[world + 1];
        Arrays.fill(bounds, root + 1, world + 1, data.byteSize());
        run(Call.broadcast(data.byteSize(), root), new Transfer(data, bounds, 1, ElementType.F32, false, true));
    }

    @Override
    public void barrier() {
        run(Call.barrier(), new Transfer(MemorySegment.NULL, new long[world + 1], 1, ElementType.F32, false, false));
    }

    /// @param elementBytes of what the bounds count
    private record Transfer(
            MemorySegment data, long[] bounds, int elementBytes, ElementType type, boolean reduce, boolean gather) {

        /// The piece of a worker's part that belongs to a step, maybe empty.
        MemorySegment piece(int rank, long step) {
            long from = bounds[rank] * elementBytes + step * TcpLink.MOST_FRAME_BYTES;
            long to = bounds[rank + 1] * elementBytes;
            return data.asSlice(Math.min(from, to), Math.clamp(to - from, 0, TcpLink.MOST_FRAME_BYTES));
        }

        long steps() {
            long longest = 0;
            for (int i = 1; i < bounds.length; i++) {
                longest = Math.max(longest, bounds[i] - bounds[i - 1]);
            }
            return Math.ceilDiv(longest * elementBytes, (long) TcpLink.MOST_FRAME_BYTES);
        }
    }

    /// First everybody says what it is about to do. Then, in each step, a worker hands over what the
    /// others need for a piece of their parts, and sends what it has summed in the step before.
    private void run(Call call, Transfer transfer) {
        calls.lock();
        try {
            if (isClosed) {
                throw new CommunicatorException("worker %d has left already".formatted(rank));
            }
            sequence++;
            current = call;
            announce(call);
            exchange();
            long steps = transfer.steps();
            for (long step = 0; step < steps || transfer.gather && step == steps && steps > 0; step++) {
                if (transfer.reduce) {
                    queueGiven(transfer, step);
                }
                if (transfer.gather) {
                    queueSummed(transfer, transfer.reduce ? step - 1 : step);
                }
                exchange();
                if (transfer.reduce) {
                    sumPiece(transfer, step);
                }
            }
        } catch (IOException e) {
            throw new CommunicatorException("worker %d cannot use its connections: %s".formatted(rank, e), e);
        } finally {
            calls.unlock();
        }
    }

    private void announce(Call call) {
        for (TcpLink link : links) {
            if (link != null) {
                ByteBuffer own = ByteBuffer.allocate(Call.BYTES);
                call.write(own);
                link.send(sequence, own.flip());
                link.receive(callBuffers[link.rank].clear(), buffer -> requireSame(call, buffer, link));
            }
        }
    }

    private void requireSame(Call own, ByteBuffer buffer, TcpLink link) {
        Call other;
        try {
            other = Call.read(buffer);
        } catch (ArrayIndexOutOfBoundsException _) {
            news.fail(link + " called what does not exist");
            return;
        }
        if (!own.equals(other)) {
            news.fail("the workers' calls do not match: call %d is %s in worker %d, and %s in worker %d"
                    .formatted(sequence, own, rank, other, link.rank));
        }
    }

    private void queueGiven(Transfer transfer, long step) {
        long own = transfer.piece(rank, step).byteSize();
        for (TcpLink link : links) {
            if (link == null) {
                continue;
            }
            MemorySegment theirs = transfer.piece(link.rank, step);
            if (theirs.byteSize() > 0) {
                link.send(sequence, theirs.asByteBuffer());
            }
            if (own > 0) {
                link.receive(given[link.rank].asSlice(0, own).asByteBuffer(), _ -> {});
            }
        }
    }

    private void queueSummed(Transfer transfer, long step) {
        if (step < 0) {
            return;
        }
        MemorySegment own = transfer.piece(rank, step);
        for (TcpLink link : links) {
            if (link == null) {
                continue;
            }
            MemorySegment theirs = transfer.piece(link.rank, step);
            if (own.byteSize() > 0) {
                link.send(sequence, own.asByteBuffer());
            }
            if (theirs.byteSize() > 0) {
                link.receive(theirs.asByteBuffer(), _ -> {});
            }
        }
    }

    private void sumPiece(Transfer transfer, long step) {
        MemorySegment own = transfer.piece(rank, step);
        if (own.byteSize() > 0) {
            given[rank] = own;
            sum.sum(given, transfer.type, own.byteSize() / transfer.elementBytes, own);
        }
    }

    /// Sends and receives all that is queued.
    private void exchange() throws IOException {
        long lastProgress = System.nanoTime();
        boolean idle = false;
        while (!idle) {
            news.throwIfFailed();
            idle = true;
            boolean progress = false;
            for (TcpLink link : links) {
                if (link != null) {
                    progress |= progress(link);
                    link.updateInterest();
                    idle &= link.isIdle();
                }
            }
            news.throwIfFailed();
            long now = System.nanoTime();
            if (progress) {
                lastProgress = now;
            } else if (!idle) {
                if (now - lastProgress > limit.toNanos()) {
                    failForLateness();
                }
                selector.select((SelectionKey _) -> {}, Math.min(LOOK_MILLIS, limit.toMillis()));
            }
        }
    }

    private boolean progress(TcpLink link) {
        try {
            return link.progress(sequence);
        } catch (IOException e) {
            news.await(link);
            if (link.hasLeft) {
                news.fail(
                        "%s has left: worker %d waits for it in call %d, %s".formatted(link, rank, sequence, current));
            } else {
                news.fail("%s died: %s".formatted(link, e.getMessage()));
            }
            return false;
        }
    }

    private void failForLateness() {
        for (TcpLink link : links) {
            if (link != null && link.isOwed()) {
                news.fail("%s has kept the others waiting for %.1f s: worker %d is in call %d, %s"
                        .formatted(link, limit.toMillis() / 1e3, rank, sequence, current));
            }
        }
        news.fail("worker %d could not send anything for %.1f s in call %d, %s"
                .formatted(rank, limit.toMillis() / 1e3, sequence, current));
    }

    @Override
    public void abort(String reason) {
        news.fail(reason);
    }

    @Override
    public void close() {
        if (!calls.tryLock()) {
            abort("worker %d left in the middle of a call".formatted(rank));
            calls.lock();
        }
        try {
            if (isClosed) {
                return;
            }
            isClosed = true;
            news.leave("worker %d has left already".formatted(rank));
            for (TcpLink link : links) {
                if (link != null) {
                    link.close();
                }
            }
            selector.close();
            arena.close();
        } catch (IOException e) {
            throw new CommunicatorException("worker %d cannot close its connections: %s".formatted(rank, e), e);
        } finally {
            calls.unlock();
        }
    }
}
