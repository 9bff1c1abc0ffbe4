package org.quern.collective;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.quern.gpu.JavaProcess;

/// Workers for tests: processes, or threads.
final class TestGroup implements AutoCloseable {
    static final Duration PATIENT = Duration.ofMinutes(2);

    private final BackEnd backEnd;
    private final int world;
    private final Duration limit;
    private final SharedMemory memory;

    /// How workers reach each other.
    enum BackEnd {
        SHARED_MEMORY {
            @Override
            Communicator open(String address, int rank, int world, Duration limit) {
                return SharedMemoryCommunicator.join(address, rank, world, EPOCH, limit);
            }
        };

        private static final long EPOCH = 5;

        abstract Communicator open(String address, int rank, int world, Duration limit) throws IOException;
    }

    TestGroup(BackEnd backEnd, int world, Duration limit) {
        this.backEnd = backEnd;
        this.world = world;
        this.limit = limit;
        assumeTrue(SharedMemory.problem().isEmpty(), "needs a library in C");
        memory = SharedMemory.create(world, BackEnd.EPOCH, 1 << 16);
    }

    private String address() {
        return memory.name();
    }

    List<JavaProcess> processes(String scenario) throws IOException {
        List<JavaProcess> processes = new ArrayList<>();
        for (int rank = 0; rank < world; rank++) {
            processes.add(new JavaProcess(
                    Map.of(),
                    List.of(),
                    WorkerProgram.class,
                    backEnd.name(),
                    address(),
                    String.valueOf(rank),
                    String.valueOf(world),
                    String.valueOf(limit.toMillis()),
                    scenario));
        }
        return processes;
    }

    /// What each worker's work came to, in threads: its message if a call ended with an error.
    List<String> threads(Function<Communicator, String> work) throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(world)) {
            List<Future<String>> futures = new ArrayList<>();
            for (int rank = 0; rank < world; rank++) {
                int own = rank;
                futures.add(threads.submit(() -> {
                    try (Communicator workers = backEnd.open(address(), own, world, limit)) {
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
        memory.close();
    }
}
