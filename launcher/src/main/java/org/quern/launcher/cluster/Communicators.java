package org.quern.launcher.cluster;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.quern.collective.Communicator;
import org.quern.collective.NcclCommunicator;
import org.quern.collective.SharedMemory;
import org.quern.collective.SharedMemoryCommunicator;
import org.quern.collective.SingleCommunicator;
import org.quern.collective.TcpCommunicator;
import org.quern.gpu.Gpu;
import org.quern.train.Workers;

/// How a worker reaches the others: by shared memory on one machine, else by TCP; for the gradients of GPUs by NCCL.
public final class Communicators {
    /// The launcher sees earlier who hangs, and knows better: workers may wait long for one that prepares the data.
    private static final Duration WATCHED = Duration.ofDays(1);

    /// What one worker tells the others: a name of memory, or NCCL's id.
    private static final int MESSAGE_BYTES = Math.max(64, NcclCommunicator.ID_BYTES);

    private Communicators() {}

    /// For a worker that a launcher has started.
    ///
    /// @param token the job's secret
    /// @param calls counts the communicators'
    /// @param nccl whether gradients go from GPU to GPU
    public static Workers join(Assignment worker, byte[] token, CallCount calls, boolean nccl) {
        IntFunction<Communicator> number;
        if (worker.world() == 1) {
            number = _ -> new SingleCommunicator(Communicator.Place.HOST);
        } else if (worker.collective().equals(Assignment.TCP)) {
            number = i -> TcpCommunicator.join(
                    socket(worker.master(), i), worker.rank(), worker.world(), worker.epoch(), token, WATCHED);
        } else {
            String[] names =
                    worker.collective().substring(Assignment.SHARED.length()).split(",");
            number = i ->
                    SharedMemoryCommunicator.join(names[i], worker.rank(), worker.world(), worker.epoch(), WATCHED);
        }
        Communicator counted = new CountedCommunicator(number.apply(0), calls);
        return new Workers(counted, counted, number.apply(1), worker.localWorld(), overGpus(nccl, gpu -> {
            AtomicReference<Communicator> joined = new AtomicReference<>();
            byte[] id = tellId(counted);
            calls.during(
                    "NCCL's start",
                    () -> joined.set(
                            NcclCommunicator.join(id, worker.rank(), worker.world(), gpu, WATCHED, Optional::empty)));
            return new CountedCommunicator(joined.get(), calls);
        }));
    }

    private static Optional<Function<Gpu, Communicator>> overGpus(boolean nccl, Function<Gpu, Communicator> join) {
        return nccl ? Optional.of(join) : Optional.empty();
    }

    /// For a worker that something else has started: there is no launcher, so they meet where worker 0 listens.
    ///
    /// @param token the job's secret
    /// @param limit how long one may keep another waiting before it counts as hung
    /// @param nccl whether gradients go from GPU to GPU
    public static Workers meet(
            Role.Worker worker, Map<String, String> environment, byte[] token, Duration limit, boolean nccl) {
        if (worker.world() == 1) {
            return Workers.alone();
        }
        Address address = worker.rendezvous().orElse(new Address("127.0.0.1", Address.DEFAULT_PORT));
        // There torchrun itself listens.
        int port = address.port() + (environment.containsKey("TORCHELASTIC_USE_AGENT_STORE") ? 1 : 0);
        long epoch = attempt(environment);
        IntFunction<TcpCommunicator> number = i -> TcpCommunicator.join(
                socket(new Address(address.host(), port), i), worker.rank(), worker.world(), epoch, token, limit);
        TcpCommunicator control = number.apply(0);
        Communicator checkpoints = number.apply(1);
        var gpus = overGpus(
                nccl,
                gpu -> NcclCommunicator.join(
                        tellId(control), worker.rank(), worker.world(), gpu, limit, control::failure));
        if (nccl
                || worker.localWorld() < worker.world()
                || SharedMemory.problem().isPresent()) {
            return new Workers(control, control, checkpoints, worker.localWorld(), gpus);
        }
        Optional<SharedMemory> memory = worker.rank() == 0
                ? Optional.of(SharedMemory.create(worker.world(), epoch, SharedMemory.SLOT_BYTES))
                : Optional.empty();
        String name = new String(
                tell(control, memory.map(own -> own.name().getBytes(StandardCharsets.UTF_8))), StandardCharsets.UTF_8);
        Communicator shared = SharedMemoryCommunicator.join(name, worker.rank(), worker.world(), epoch, limit);
        control.barrier();
        memory.ifPresent(SharedMemory::close);
        return new Workers(control, shared, checkpoints, worker.localWorld(), gpus);
    }

    /// Which start of the job this is.
    private static long attempt(Map<String, String> environment) {
        String count = environment.getOrDefault(
                "TORCHELASTIC_RESTART_COUNT", environment.getOrDefault("SLURM_RESTART_COUNT", "0"));
        return count.matches("\\d{1,9}") ? Long.parseLong(count) : 0;
    }

    /// A secret, which the authenticated connections and the memory of one user keep.
    private static byte[] tellId(Communicator control) {
        return tell(control, control.rank() == 0 ? Optional.of(NcclCommunicator.newId()) : Optional.empty());
    }

    /// What the first worker says, for all of them.
    private static byte[] tell(Communicator control, Optional<byte[]> message) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(Integer.BYTES + MESSAGE_BYTES, Integer.BYTES);
            message.ifPresent(bytes -> {
                segment.set(ValueLayout.JAVA_INT, 0, bytes.length);
                MemorySegment.copy(bytes, 0, segment, ValueLayout.JAVA_BYTE, Integer.BYTES, bytes.length);
            });
            control.broadcast(segment, 0);
            return segment.asSlice(Integer.BYTES, segment.get(ValueLayout.JAVA_INT, 0))
                    .toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /// @param number of the communicator: each has a port of its own
    private static InetSocketAddress socket(Address address, int number) {
        return new InetSocketAddress(address.host(), address.port() + number);
    }
}
