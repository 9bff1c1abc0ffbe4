package org.quern.launcher.cluster;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntFunction;
import org.quern.collective.Communicator;
import org.quern.collective.SharedMemory;
import org.quern.collective.SharedMemoryCommunicator;
import org.quern.collective.TcpCommunicator;
import org.quern.train.Workers;

/// How a worker reaches the others: by shared memory on one machine, else by TCP.
public final class Communicators {
    /// The launcher sees earlier who hangs, and knows better: workers may wait long for one that prepares the data.
    private static final Duration WATCHED = Duration.ofDays(1);

    private static final int NAME_BYTES = 64;

    private Communicators() {}

    /// For a worker that a launcher has started.
    ///
    /// @param token the job's secret
    /// @param calls counts the communicator's
    public static Workers join(Assignment worker, byte[] token, CallCount calls) {
        IntFunction<Communicator> number;
        if (worker.collective().equals(Assignment.TCP)) {
            number = i -> TcpCommunicator.join(
                    socket(worker.master(), i), worker.rank(), worker.world(), worker.epoch(), token, WATCHED);
        } else {
            String[] names =
                    worker.collective().substring(Assignment.SHARED.length()).split(",");
            number = i ->
                    SharedMemoryCommunicator.join(names[i], worker.rank(), worker.world(), worker.epoch(), WATCHED);
        }
        Communicator counted = new CountedCommunicator(number.apply(0), calls);
        return new Workers(counted, counted, number.apply(1), worker.localWorld());
    }

    /// For a worker that something else has started: there is no launcher, so they meet where worker 0 listens.
    ///
    /// @param token the job's secret
    /// @param limit how long one may keep another waiting before it counts as hung
    public static Workers meet(Role.Worker worker, Map<String, String> environment, byte[] token, Duration limit) {
        Address address = worker.rendezvous().orElse(new Address("127.0.0.1", Address.DEFAULT_PORT));
        // There torchrun itself listens.
        int port = address.port() + (environment.containsKey("TORCHELASTIC_USE_AGENT_STORE") ? 1 : 0);
        long epoch = attempt(environment);
        IntFunction<Communicator> number = i -> TcpCommunicator.join(
                socket(new Address(address.host(), port), i), worker.rank(), worker.world(), epoch, token, limit);
        Communicator control = number.apply(0);
        Communicator checkpoints = number.apply(1);
        if (worker.localWorld() < worker.world() || SharedMemory.problem().isPresent()) {
            return new Workers(control, control, checkpoints, worker.localWorld());
        }
        Optional<SharedMemory> memory = worker.rank() == 0
                ? Optional.of(SharedMemory.create(worker.world(), epoch, SharedMemory.SLOT_BYTES))
                : Optional.empty();
        String name = tell(control, memory.map(SharedMemory::name));
        Communicator shared = SharedMemoryCommunicator.join(name, worker.rank(), worker.world(), epoch, limit);
        control.barrier();
        memory.ifPresent(SharedMemory::close);
        return new Workers(control, shared, checkpoints, worker.localWorld());
    }

    /// Which start of the job this is.
    private static long attempt(Map<String, String> environment) {
        String count = environment.getOrDefault(
                "TORCHELASTIC_RESTART_COUNT", environment.getOrDefault("SLURM_RESTART_COUNT", "0"));
        return count.matches("\\d{1,9}") ? Long.parseLong(count) : 0;
    }

    /// What the first worker says, for all of them.
    private static String tell(Communicator control, Optional<String> text) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(NAME_BYTES);
            text.ifPresent(name -> segment.setString(0, name));
            control.broadcast(segment, 0);
            return segment.getString(0);
        }
    }

    /// @param number of the communicator: each has a port of its own
    private static InetSocketAddress socket(Address address, int number) {
        return new InetSocketAddress(address.host(), address.port() + number);
    }
}
