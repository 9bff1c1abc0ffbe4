package org.quern.launcher.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Optional;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.collective.Communicator;
import org.quern.collective.CommunicatorException;
import org.quern.collective.ElementType;
import org.quern.collective.NcclCommunicator;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Gpus;

/// A worker with a GPU that sums by NCCL, and says whether its sums are right.
public final class NcclWorker implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    /// An odd number of elements, in parts that are not alike.
    private static final int ELEMENTS = 100_003;

    private final Gpu gpu;
    private final GpuStream stream;
    private final DeviceArena memory;
    private final Communicator workers;

    /// Joins the others, checks what they compute together, leaves by an abort and joins again.
    ///
    /// @param ids of [NcclCommunicator#newId], in hexadecimal digits: of the first group and of the second
    /// @throws QuernException if a result is wrong, naming it
    public NcclWorker(int rank, int world, String... ids) {
        gpu = Gpus.open("cuda:" + rank % Gpus.list().size());
        stream = gpu.stream();
        memory = gpu.arena();
        try (Communicator first = join(ids[0], rank, world)) {
            for (ElementType type : ElementType.values()) {
                check(first, type);
            }
            first.barrier();
            first.abort("as the check wants");
            requireEnded(first);
        }
        long began = System.nanoTime();
        workers = join(ids[1], rank, world);
        workers.barrier();
        if (rank == 0) {
            System.err.printf(
                    "NCCL %s, %d workers on %s: sums, parts and broadcasts are exact; after an abort another group"
                            + " was there in %.2f s%n",
                    NcclCommunicator.version(), world, gpu.properties().name(), (System.nanoTime() - began) / 1e9);
        }
    }

    private Communicator join(String id, int rank, int world) {
        return NcclCommunicator.join(HexFormat.of().parseHex(id), rank, world, gpu, LIMIT, Optional::empty);
    }

    /// Memory of the device for collectives.
    public MemorySegment allocate(long bytes) {
        DeviceMemory room = memory.allocate(bytes);
        stream.fill(room, (byte) 0);
        stream.synchronize();
        return MemorySegment.ofAddress(room.address()).reinterpret(bytes);
    }

    public Communicator communicator() {
        return workers;
    }

    private void check(Communicator group, ElementType type) {
        int world = group.world();
        long[] bounds = new long[world + 1];
        for (int i = 1; i < world; i++) {
            bounds[i] = Math.min(ELEMENTS, bounds[i - 1] + (i % 2 == 0 ? 0 : 2L * ELEMENTS / world));
        }
        bounds[world] = ELEMENTS;
        MemorySegment data = allocate((long) ELEMENTS * type.bytes());
        write(data, group.rank(), type);
        group.allReduce(data, type);
        requireSums("all-reduce", data, 0, ELEMENTS, world, type);
        write(data, group.rank(), type);
        group.reduceScatter(data, bounds, type);
        requireSums("reduce-scatter", data, bounds[group.rank()], bounds[group.rank() + 1], world, type);
        group.allGather(data, bounds, type);
        requireSums("all-gather", data, 0, ELEMENTS, world, type);
        write(data, group.rank() == world - 1 ? -1 : group.rank(), type);
        group.broadcast(data, world - 1);
        require("broadcast", data, 0, ELEMENTS, type, i -> term(-1, i));
    }

    /// Whole numbers that are exact in bf16, and their sums over up to 16 workers too.
    private static float term(int rank, long i) {
        return (i * 7 + rank * 3L) % 8 - 3;
    }

    private interface Element {
        float at(long i);
    }

    private static void requireEnded(Communicator group) {
        try {
            group.barrier();
        } catch (CommunicatorException _) {
            return;
        }
        throw new QuernException(ExitCode.INTERNAL, "NCCL: a group that was aborted goes on");
    }

    private void requireSums(String what, MemorySegment data, long from, long to, int world, ElementType type) {
        require(what, data, from, to, type, i -> {
            float sum = 0;
            for (int rank = 0; rank < world; rank++) {
                sum += term(rank, i);
            }
            return sum;
        });
    }

    private void require(String what, MemorySegment data, long from, long to, ElementType type, Element right) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(data.byteSize(), Float.BYTES);
            stream.copyToHost(device(data), host);
            stream.synchronize();
            for (long i = from; i < to; i++) {
                float got = get(host, i, type);
                if (got != right.at(i)) {
                    throw new QuernException(
                            ExitCode.INTERNAL,
                            "NCCL's %s of %s: element %d is %s and should be %s"
                                    .formatted(what, type, i, got, right.at(i)));
                }
            }
        }
    }

    private void write(MemorySegment data, int rank, ElementType type) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(data.byteSize(), Float.BYTES);
            for (long i = 0; i < ELEMENTS; i++) {
                int bits = Float.floatToRawIntBits(term(rank, i));
                switch (type) {
                    case F32 -> host.setAtIndex(ValueLayout.JAVA_INT, i, bits);
                    case BF16 -> host.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (bits >>> 16));
                }
            }
            stream.copyToDevice(host, device(data));
            stream.synchronize();
        }
    }

    private static float get(MemorySegment host, long i, ElementType type) {
        return Float.intBitsToFloat(
                switch (type) {
                    case F32 -> host.getAtIndex(ValueLayout.JAVA_INT, i);
                    case BF16 -> host.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16;
                });
    }

    private static DeviceMemory device(MemorySegment data) {
        return new DeviceMemory(data.address(), data.byteSize());
    }

    @Override
    public void close() {
        workers.close();
        memory.close();
        stream.close();
        gpu.close();
    }
}
