package org.quern.collective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;
import org.quern.gpu.JavaProcess;

/// Workers for tests: processes, or threads.
final class TestGroup implements AutoCloseable {
    static final Duration PATIENT = Duration.ofMinutes(2);

    private final BackEnd backEnd;
    private final int world;
    private final Duration limit;
    private final Optional<SharedMemory> memory;
    private final String address;

    /// How workers reach each other.
    enum BackEnd {
        SHARED_MEMORY {
            @Override
            Communicator open(String address, int rank, int world, Duration limit) {
                return SharedMemoryCommunicator.join(address, rank, world, EPOCH, limit);
            }
        },
        TCP {
            @Override
            Communicator open(String address, int rank, int world, Duration limit) {
                InetSocketAddress first = new InetSocketAddress("localhost", Integer.parseInt(address));
                return TcpCommunicator.join(first, rank, world, EPOCH, TOKEN, limit);
            }
        };

        static final byte[] TOKEN = "a token for tests".getBytes(StandardCharsets.UTF_8);

        private static final long EPOCH = 5;

        abstract Communicator open(String address, int rank, int world, Duration limit) throws IOException;
    }

    TestGroup(BackEnd backEnd, int world, Duration limit) {
        this.backEnd = backEnd;
        this.world = world;
        this.limit = limit;
        switch (backEnd) {
            case SHARED_MEMORY -> {
                assumeTrue(SharedMemory.problem().isEmpty(), "needs a library in C");
                memory = Optional.of(SharedMemory.create(world, BackEnd.EPOCH, 1 << 16));
                address = memory.get().name();
            }
            case TCP -> {
                memory = Optional.empty();
                address = String.valueOf(freePort());
            }
            default -> throw new AssertionError(backEnd);
        }
    }

    /// Below those that the system gives to whom it is all one.
    static int freePort() {
        while (true) {
            int port = ThreadLocalRandom.current().nextInt(20_000, 32_000);
            try (ServerSocket _ = new ServerSocket(port)) {
                return port;
            } catch (IOException _) {
                // It is taken.
            }
        }
    }

    /// Starts them, and lets them join when all are there: the time limit is for what comes then.
    List<JavaProcess> processes(String scenario) throws IOException {
        List<JavaProcess> processes = new ArrayList<>();
        for (int rank = 0; rank < world; rank++) {
            processes.add(new JavaProcess(
                    Map.of(),
                    List.of(),
                    WorkerProgram.class,
                    backEnd.name(),
                    address,
                    String.valueOf(rank),
                    String.valueOf(world),
                    String.valueOf(limit.toMillis()),
                    scenario));
        }
        for (JavaProcess process : processes) {
            awaitLine(process, WorkerProgram.STARTED);
        }
        for (JavaProcess process : processes) {
            process.process().getOutputStream().write('\n');
            process.process().getOutputStream().flush();
        }
        return processes;
    }

    /// Reads no more than up to that line's end.
    static void awaitLine(JavaProcess process, String line) throws IOException {
        InputStream in = process.process().getInputStream();
        StringBuilder read = new StringBuilder();
        while (!read.toString().endsWith(line + "\n")) {
            int next = in.read();
            assertThat(next).as(read.toString()).isNotNegative();
            read.append((char) next);
        }
    }

    /// What each worker's work came to, in threads: its message if a call ended with an error.
    List<String> threads(Function<Communicator, String> work) throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(world)) {
            List<Future<String>> futures = new ArrayList<>();
            for (int rank = 0; rank < world; rank++) {
                int own = rank;
                futures.add(threads.submit(() -> {
                    try (Communicator workers = backEnd.open(address, own, world, limit)) {
                        return work.apply(workers);
                    } catch (CommunicatorException e) {
                        return e.getMessage();
                    }
                }));
            }
            List<String> results = new ArrayList<>();
            for (Future<String> future : futures) {
                results.add(future.get());
            }
            return results;
        }
    }

    @Override
    public void close() {
        memory.ifPresent(SharedMemory::close);
    }
}
