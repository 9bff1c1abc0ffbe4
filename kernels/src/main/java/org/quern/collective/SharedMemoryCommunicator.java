package org.quern.collective;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.concurrent.locks.ReentrantLock;

/// Workers that are processes of one machine, through [SharedMemory]: the fastest way there.
///
/// A worker that dies is noticed within a hundredth of a second by those that wait for it, and one that
/// hangs after the time limit. Between calls nobody looks.
public final class SharedMemoryCommunicator extends Member {
    private final CollectiveLibrary library = CollectiveLibrary.get();
    private final Arena arena = Arena.ofShared();
    private final MemorySegment error = arena.allocate(CollectiveLibrary.ERROR_BYTES);
    private final MemorySegment bounds;
    /// Held during a call.
    private final ReentrantLock calls = new ReentrantLock();
    /// Held while the group is aborted or left.
    private final Object life = new Object();

    private MemorySegment group;

    private SharedMemoryCommunicator(String name, int rank, int world, long epoch, Duration limit) {
        super(rank, world, Place.HOST);
        bounds = arena.allocate(ValueLayout.JAVA_LONG, world + 1L);
        try (Arena text = Arena.ofConfined()) {
            MemorySegment region = text.allocateFrom(name);
            group = (MemorySegment) library.join.invokeExact(region, rank, world, epoch, limit.toMillis(), error);
        } catch (Throwable e) {
            throw CollectiveLibrary.unexpected(e);
        }
        if (group.equals(MemorySegment.NULL)) {
            CommunicatorException failure = CollectiveLibrary.failure(error);
            arena.close();
            throw failure;
        }
    }

    /// Becomes worker `rank`, without waiting for the others: the first call does.
    ///
    /// @param name [SharedMemory#name]
    /// @param epoch as the memory was made for
    /// @param limit how long one worker may keep another waiting before it counts as hung
    /// @throws CommunicatorException if the memory is not there or for others, if this rank is taken,
    ///     or if this build has no library for it
    public static SharedMemoryCommunicator join(String name, int rank, int world, long epoch, Duration limit) {
        return new SharedMemoryCommunicator(name, rank, world, epoch, limit);
    }

    @Override
    public void allReduce(MemorySegment data, ElementType type) {
        long elements = Arguments.elements(data, type);
        begin();
        try {
            end((int) library.allReduce.invokeExact(group, data, elements, code(type), error));
        } catch (Throwable e) {
            throw failure(e);
        } finally {
            calls.unlock();
        }
    }

    @Override
    public void reduceScatter(MemorySegment data, long[] parts, ElementType type) {
        Arguments.requireParts(parts, world, Arguments.elements(data, type));
        begin();
        try {
            MemorySegment.copy(parts, 0, bounds, ValueLayout.JAVA_LONG, 0, parts.length);
            end((int) library.reduceScatter.invokeExact(group, data, bounds, code(type), error));
        } catch (Throwable e) {
            throw failure(e);
        } finally {
            calls.unlock();
        }
    }

    @Override
    public void allGather(MemorySegment data, long[] parts, ElementType type) {
        Arguments.requireParts(parts, world, Arguments.elements(data, type));
        begin();
        try {
            MemorySegment.copy(parts, 0, bounds, ValueLayout.JAVA_LONG, 0, parts.length);
            end((int) library.allGather.invokeExact(group, data, bounds, code(type), error));
        } catch (Throwable e) {
            throw failure(e);
        } finally {
            calls.unlock();
        }
    }

    @Override
    public void broadcast(MemorySegment data, int root) {
        Arguments.requireNative(data);
        Arguments.requireRank(root, world);
        begin();
        try {
            end((int) library.broadcast.invokeExact(group, data, data.byteSize(), root, error));
        } catch (Throwable e) {
            throw failure(e);
        } finally {
            calls.unlock();
        }
    }

    @Override
    public void barrier() {
        begin();
        try {
            end((int) library.barrier.invokeExact(group, error));
        } catch (Throwable e) {
            throw failure(e);
        } finally {
            calls.unlock();
        }
    }

    private static int code(ElementType type) {
        return switch (type) {
            case F32 -> 0;
            case BF16 -> 1;
        };
    }

    private void begin() {
        calls.lock();
        if (group.equals(MemorySegment.NULL)) {
            calls.unlock();
            throw new CommunicatorException("worker %d has left already".formatted(rank));
        }
    }

    private void end(int status) {
        if (status != 0) {
            throw CollectiveLibrary.failure(error);
        }
    }

    private static RuntimeException failure(Throwable e) {
        return e instanceof RuntimeException known ? known : CollectiveLibrary.unexpected(e);
    }

    @Override
    public void abort(String reason) {
        synchronized (life) {
            if (group.equals(MemorySegment.NULL)) {
                return;
            }
            try (Arena text = Arena.ofConfined()) {
                MemorySegment sentence = text.allocateFrom(reason);
                library.abort.invokeExact(group, sentence);
            } catch (Throwable e) {
                throw failure(e);
            }
        }
    }

    @Override
    public void close() {
        if (!calls.tryLock()) {
            abort("worker %d left in the middle of a call".formatted(rank));
            calls.lock();
        }
        try {
            synchronized (life) {
                if (!group.equals(MemorySegment.NULL)) {
                    library.leave.invokeExact(group);
                    group = MemorySegment.NULL;
                    arena.close();
                }
            }
        } catch (Throwable e) {
            throw failure(e);
        } finally {
            calls.unlock();
        }
    }
}
