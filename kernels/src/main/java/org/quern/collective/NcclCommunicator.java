package org.quern.collective;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.quern.gpu.CudaDriver;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuEvent;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Workers with a GPU each, through NVIDIA's NCCL.
///
/// Two things are NCCL's and not as [Communicator] says. A sum goes around a ring
/// ([NcclLibrary#load]): its order depends on the number of workers and on the topology that NCCL finds.
/// On the same machines with the same NCCL the same bits come again, with another number of workers others; bf16
/// is rounded at every hop, so sums of gradients are best taken in fp32. And it compares no calls: those that do
/// not match, an abort and a death reach the other workers as a call that does not end within the time limit,
/// unless they learn it another way.
///
/// A communicator of NCCL may hang when it is aborted. That happens on a thread of its own, which is
/// given up after a while: then the process should end.
public final class NcclCommunicator extends Member {
    private static final Logger LOG = LoggerFactory.getLogger(NcclCommunicator.class);
    /// Bytes of [#newId].
    public static final int ID_BYTES = NcclLibrary.ID_BYTES;

    private static final Duration FINALIZE_LIMIT = Duration.ofSeconds(30);
    private static final Duration ABORT_LIMIT = Duration.ofSeconds(10);
    /// Between two looks whether a call has ended; at first without a pause.
    private static final long PAUSE_NANOS = 20_000;

    private static final long EAGER_NANOS = 1_000_000;

    private final NcclLibrary library;
    private final Duration limit;
    private final Queue queue;
    private final Supplier<Optional<String>> trouble;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment status = arena.allocate(ValueLayout.JAVA_INT);
    private final MemorySegment communicator;
    /// Held during a call.
    private final ReentrantLock calls = new ReentrantLock();
    /// Why it is of no use any more, if so.
    private final AtomicReference<String> failure = new AtomicReference<>();

    private long sequence;
    /// Whether the library's communicator is gone. Guarded by `calls`.
    private boolean isEnded;

    private boolean isClosed;

    /// Where the calls' work goes.
    ///
    /// @param handle the stream's, as the driver knows it
    /// @param done for marks after a call
    /// @param scratch four bytes on the device
    /// @param release frees all of it
    record Queue(GpuStream stream, long handle, GpuEvent done, MemorySegment scratch, Runnable release) {
        static Queue of(Gpu gpu) {
            GpuStream stream = gpu.stream();
            GpuEvent done = gpu.event();
            DeviceArena memory = gpu.arena();
            DeviceMemory scratch = memory.allocate(Float.BYTES);
            return new Queue(
                    stream,
                    CudaDriver.handle(stream),
                    done,
                    MemorySegment.ofAddress(scratch.address()).reinterpret(Float.BYTES),
                    () -> {
                        memory.close();
                        done.close();
                        stream.close();
                    });
        }
    }

    NcclCommunicator(
            NcclLibrary library,
            byte[] id,
            int rank,
            int world,
            Queue queue,
            Duration limit,
            Supplier<Optional<String>> trouble) {
        super(rank, world, Place.DEVICE);
        Arguments.requireRank(rank, world);
        this.library = library;
        this.queue = queue;
        this.limit = limit;
        this.trouble = trouble;
        MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
        int outcome = library.init(pointer, world, id, rank);
        communicator = pointer.get(ValueLayout.ADDRESS, 0);
        calls.lock();
        try {
            require(outcome, "ncclCommInitRankConfig");
            await("ncclCommInitRankConfig", false);
        } catch (CommunicatorException e) {
            queue.release.run();
            throw e;
        } finally {
            calls.unlock();
        }
    }

    /// What worker 0 makes and all must have: it joins them, and keeps others out. It is a secret, and
    /// worker 0's process must stay.
    ///
    /// @throws CommunicatorException if there is no NCCL here
    public static byte[] newId() {
        return newId(NcclLibrary.load());
    }

    static byte[] newId(NcclLibrary library) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment id = arena.allocate(NcclLibrary.ID_BYTES);
            int status = (int) library.getUniqueId.invokeExact(id);
            if (status != NcclLibrary.SUCCESS) {
                throw new CommunicatorException("ncclGetUniqueId failed: " + library.describe(status));
            }
            return id.toArray(ValueLayout.JAVA_BYTE);
        } catch (Throwable e) {
            throw failure(e);
        }
    }

    /// The version of the NCCL that is here.
    ///
    /// @throws CommunicatorException if there is none, saying what to do
    public static String version() {
        return NcclLibrary.load().version();
    }

    /// Becomes worker `rank`, once all are there.
    ///
    /// @param id of [#newId]
    /// @param gpu its memory holds what is summed; closed later than this
    /// @param limit for all to come together, and for a call
    /// @param trouble why the others cannot go on, where that is known another way: asked during a call
    /// @throws CommunicatorException if they do not come together, or if there is no NCCL here
    public static NcclCommunicator join(
            byte[] id, int rank, int world, Gpu gpu, Duration limit, Supplier<Optional<String>> trouble) {
        NcclLibrary library = NcclLibrary.load();
        LOG.info("worker {} of {} joins by NCCL {}, {}", rank, world, library.version(), NcclLibrary.algorithm());
        return new NcclCommunicator(library, id, rank, world, Queue.of(gpu), limit, trouble);
    }

    /// A call of the library.
    @FunctionalInterface
    private interface Native {
        int call() throws Throwable;
    }

    @Override
    public void allReduce(MemorySegment data, ElementType type) {
        long elements = Arguments.elements(data, type);
        run("ncclAllReduce", () -> allReduce(data.address(), elements, type));
    }

    private int allReduce(long address, long elements, ElementType type) throws Throwable {
        return (int) library.allReduce.invokeExact(
                address, address, elements, NcclLibrary.code(type), NcclLibrary.SUM, communicator, queue.handle);
    }

    @Override
    public void reduceScatter(MemorySegment data, long[] bounds, ElementType type) {
        Arguments.requireParts(bounds, world, Arguments.elements(data, type));
        long address = data.address();
        long part = bounds[1];
        if (isEven(bounds)) {
            run("ncclReduceScatter", () -> (int) library.reduceScatter.invokeExact(
                    address,
                    address + rank * part * type.bytes(),
                    part,
                    NcclLibrary.code(type),
                    NcclLibrary.SUM,
                    communicator,
                    queue.handle));
            return;
        }
        List<Native> reduces = new ArrayList<>();
        for (int i = 0; i < world; i++) {
            long at = address + bounds[i] * type.bytes();
            long elements = bounds[i + 1] - bounds[i];
            int root = i;
            if (elements > 0) {
                reduces.add(() -> (int) library.reduce.invokeExact(
                        at, at, elements, NcclLibrary.code(type), NcclLibrary.SUM, root, communicator, queue.handle));
            }
        }
        run("ncclReduce", () -> grouped(reduces));
    }

    @Override
    public void allGather(MemorySegment data, long[] bounds, ElementType type) {
        Arguments.requireParts(bounds, world, Arguments.elements(data, type));
        long address = data.address();
        long part = bounds[1];
        if (isEven(bounds)) {
            run("ncclAllGather", () -> (int) library.allGather.invokeExact(
                    address + rank * part * type.bytes(),
                    address,
                    part,
                    NcclLibrary.code(type),
                    communicator,
                    queue.handle));
            return;
        }
        List<Native> broadcasts = new ArrayList<>();
        for (int i = 0; i < world; i++) {
            long at = address + bounds[i] * type.bytes();
            long bytes = (bounds[i + 1] - bounds[i]) * type.bytes();
            int root = i;
            if (bytes > 0) {
                broadcasts.add(() -> broadcast(at, bytes, root));
            }
        }
        run("ncclBroadcast", () -> grouped(broadcasts));
    }

    /// Parts of one size, for which NCCL has calls of its own.
    private static boolean isEven(long[] bounds) {
        for (int i = 1; i < bounds.length; i++) {
            if (bounds[i] != i * bounds[1]) {
                return false;
            }
        }
        return true;
    }

    private int grouped(List<Native> natives) throws Throwable {
        int outcome = (int) library.groupStart.invokeExact();
        for (Native each : natives) {
            int own = each.call();
            if (outcome == NcclLibrary.SUCCESS && own != NcclLibrary.IN_PROGRESS) {
                outcome = own;
            }
        }
        int end = (int) library.groupEnd.invokeExact();
        return outcome == NcclLibrary.SUCCESS ? end : outcome;
    }

    @Override
    public void broadcast(MemorySegment data, int root) {
        Arguments.requireNative(data);
        Arguments.requireRank(root, world);
        run("ncclBroadcast", () -> broadcast(data.address(), data.byteSize(), root));
    }

    private int broadcast(long address, long bytes, int root) throws Throwable {
        return (int) library.broadcast.invokeExact(
                address, address, bytes, NcclLibrary.UINT8, root, communicator, queue.handle);
    }

    /// A sum that nobody reads.
    @Override
    public void barrier() {
        run("ncclAllReduce", () -> allReduce(queue.scratch.address(), 1, ElementType.F32));
    }

    private void run(String name, Native call) {
        calls.lock();
        try {
            throwIfFailed();
            sequence++;
            require(call.call(), name);
            await(name, false);
            queue.stream.record(queue.done);
            await(name, true);
        } catch (GpuException e) {
            fail("%s failed in call %d of worker %d: %s".formatted(name, sequence, rank, e.getMessage()));
            throw new CommunicatorException(failure.get(), e);
        } catch (Throwable e) {
            throw failure(e);
        } finally {
            endAborted();
            calls.unlock();
        }
    }

    /// Polls: a call that waits inside of NCCL or the driver could not be ended.
    ///
    /// @param device whether for the stream too
    private void await(String name, boolean device) {
        long began = System.nanoTime();
        while (true) {
            trouble.get().ifPresent(this::fail);
            throwIfFailed();
            int outcome = library.asyncError(communicator, status);
            require(outcome, name);
            if (outcome == NcclLibrary.SUCCESS && (!device || queue.done.isReached())) {
                return;
            }
            long waited = System.nanoTime() - began;
            if (waited > limit.toNanos()) {
                fail(
                        "%s has not ended within %.1f s in call %d of worker %d of %d: another hangs, has died or is not there"
                                .formatted(name, limit.toMillis() / 1e3, sequence, rank, world));
            } else if (waited > EAGER_NANOS) {
                LockSupport.parkNanos(PAUSE_NANOS);
            } else {
                Thread.onSpinWait();
            }
        }
    }

    private void require(int outcome, String name) {
        if (outcome != NcclLibrary.SUCCESS && outcome != NcclLibrary.IN_PROGRESS) {
            fail("%s failed in call %d of worker %d: %s".formatted(name, sequence, rank, library.describe(outcome)));
            throwIfFailed();
        }
    }

    private void throwIfFailed() {
        String reason = failure.get();
        if (reason != null) {
            throw new CommunicatorException(reason);
        }
    }

    private static RuntimeException failure(Throwable e) {
        return e instanceof RuntimeException known ? known : CollectiveLibrary.unexpected(e);
    }

    /// The first reason counts. Only one thread may use a communicator of NCCL at a time: that of a
    /// call under way ends it, which looks all the time whether it should.
    private void fail(String reason) {
        failure.compareAndSet(null, reason);
        if (calls.tryLock()) {
            try {
                endAborted();
            } finally {
                calls.unlock();
            }
        }
    }

    /// Ends what is under way on the device, if the group has failed.
    private void endAborted() {
        if (failure.get() == null || isEnded) {
            return;
        }
        isEnded = true;
        if (communicator.equals(MemorySegment.NULL)) {
            return;
        }
        Thread abort = Thread.ofPlatform().daemon().name("nccl-abort").start(() -> {
            try {
                int _ = (int) library.commAbort.invokeExact(communicator);
            } catch (Throwable e) {
                LOG.warn("ncclCommAbort", e);
            }
        });
        try {
            if (!abort.join(ABORT_LIMIT)) {
                LOG.warn("ncclCommAbort has hung for {} s: this process should end", ABORT_LIMIT.toSeconds());
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void abort(String reason) {
        fail(reason);
    }

    @Override
    public void close() {
        if (!calls.tryLock()) {
            abort("worker %d left in the middle of a call".formatted(rank));
            calls.lock();
        }
        try {
            if (!isClosed) {
                isClosed = true;
                if (failure.compareAndSet(null, "worker %d has left already".formatted(rank))) {
                    isEnded = true;
                    finish();
                }
                queue.release.run();
            }
        } catch (Throwable e) {
            throw failure(e);
        } finally {
            calls.unlock();
        }
    }

    /// Waits for the others to leave too.
    private void finish() throws Throwable {
        int outcome = (int) library.commFinalize.invokeExact(communicator);
        long deadline = System.nanoTime() + FINALIZE_LIMIT.toNanos();
        while (outcome == NcclLibrary.IN_PROGRESS && System.nanoTime() < deadline) {
            LockSupport.parkNanos(PAUSE_NANOS);
            outcome = library.asyncError(communicator, status);
        }
        if (outcome == NcclLibrary.SUCCESS) {
            int _ = (int) library.commDestroy.invokeExact(communicator);
        } else {
            isEnded = false;
            endAborted();
        }
    }
}
