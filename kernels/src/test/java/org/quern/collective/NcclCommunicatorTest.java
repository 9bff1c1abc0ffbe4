package org.quern.collective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Against the library of `src/test/resources/collective/nccl.c`, whose data are on the host; and the real
/// one, where there is one, as far as it goes without a GPU.
class NcclCommunicatorTest {
    private static final int WORLD = 3;
    private static final Duration SHORT = Duration.ofMillis(200);

    @TempDir
    private Path folder;

    private StubNccl nccl;

    @BeforeEach
    void compile() throws Exception {
        nccl = new StubNccl(folder);
    }

    @AfterEach
    void close() {
        nccl.close();
    }

    /// What each worker's work came to; its message if a call ended with an error.
    private List<String> workers(int world, Duration limit, Function<Communicator, String> work) throws Exception {
        return workers(world, limit, Optional::empty, work);
    }

    private List<String> workers(
            int world, Duration limit, Supplier<Optional<String>> trouble, Function<Communicator, String> work)
            throws Exception {
        byte[] id = nccl.newId();
        try (ExecutorService threads = Executors.newFixedThreadPool(world)) {
            List<Future<String>> futures = new ArrayList<>();
            for (int i = 0; i < world; i++) {
                int rank = i;
                futures.add(threads.submit(() -> {
                    try (Communicator own = nccl.join(id, rank, WORLD, limit, trouble)) {
                        return work.apply(own);
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

    /// Small whole numbers, whose sums are exact in either type.
    private static MemorySegment data(Arena arena, int rank, int count, ElementType type) {
        MemorySegment data = arena.allocate((long) count * type.bytes(), 4);
        for (int i = 0; i < count; i++) {
            Terms.put(data, i, rank + i % 7, type);
        }
        return data;
    }

    private static void requireSums(MemorySegment data, long from, long to, ElementType type) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment right = arena.allocate(type.bytes(), 4);
            for (long i = from; i < to; i++) {
                Terms.put(right, 0, WORLD * (i % 7) + 3, type);
                assertThat(data.asSlice(i * type.bytes(), type.bytes()).mismatch(right))
                        .isEqualTo(-1);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void sumsGathersAndBroadcasts(ElementType type) throws Exception {
        int count = 30;
        List<long[]> parts = List.of(new long[] {0, 10, 20, 30}, new long[] {0, 0, 23, 30});
        assertThat(workers(WORLD, TestGroup.PATIENT, workers -> {
                    try (Arena arena = Arena.ofConfined()) {
                        MemorySegment data = data(arena, workers.rank(), count, type);
                        workers.allReduce(data, type);
                        requireSums(data, 0, count, type);
                        for (long[] bounds : parts) {
                            data = data(arena, workers.rank(), count, type);
                            workers.reduceScatter(data, bounds, type);
                            requireSums(data, bounds[workers.rank()], bounds[workers.rank() + 1], type);
                            workers.allGather(data, bounds, type);
                            requireSums(data, 0, count, type);
                        }
                        data = data(arena, workers.rank(), count, type);
                        workers.broadcast(data, 2);
                        assertThat(data.mismatch(data(arena, 2, count, type))).isEqualTo(-1);
                        workers.barrier();
                        return "done";
                    }
                }))
                .containsOnly("done");
        // Only unequal parts need more than one call.
        assertThat(nccl.counter("grouped")).isEqualTo(2 * WORLD);
        assertThat(nccl.counter("destroys")).isEqualTo(WORLD);
        assertThat(nccl.counter("aborts")).isZero();
    }

    @Test
    void endsWhatDoesNotEnd() throws Exception {
        assertThat(workers(WORLD, SHORT, workers -> {
                    if (workers.rank() != 1) {
                        workers.barrier();
                    }
                    return "done";
                }))
                .satisfiesExactly(
                        text -> assertThat(text)
                                .matches("ncclAllReduce has not ended within 0.2 s in call 1 of worker 0 of 3: .*"),
                        text -> assertThat(text).isEqualTo("done"),
                        text -> assertThat(text).contains("worker 2 of 3"));
        assertThat(nccl.counter("aborts")).isEqualTo(2);
    }

    @Test
    void saysWhoDoNotComeTogether() throws Exception {
        assertThat(workers(1, SHORT, _ -> "done"))
                .singleElement()
                .asString()
                .startsWith("ncclCommInitRankConfig has not ended within 0.2 s in call 0 of worker 0 of 3");
        assertThat(nccl.counter("aborts")).isEqualTo(1);
    }

    @Test
    void anyThreadAborts() throws Exception {
        assertThat(workers(WORLD, TestGroup.PATIENT, workers -> {
                    if (workers.rank() == 0) {
                        Thread.startVirtualThread(() -> workers.abort("the loss is not a number"));
                        workers.barrier();
                    }
                    return "done";
                }))
                .first()
                .isEqualTo("the loss is not a number");
        assertThat(nccl.counter("aborts")).isEqualTo(1);
    }

    @Test
    void endsACallWhoseOthersAreKnownToBeGone() throws Exception {
        AtomicReference<String> news = new AtomicReference<>();
        assertThat(workers(WORLD, TestGroup.PATIENT, () -> Optional.ofNullable(news.get()), workers -> {
                    workers.barrier();
                    if (workers.rank() == 1) {
                        news.set("worker 1 died");
                        return "dead";
                    }
                    workers.barrier();
                    return "done";
                }))
                .containsExactly("worker 1 died", "dead", "worker 1 died");
        assertThat(nccl.counter("aborts")).isEqualTo(2);
    }

    @Test
    void saysWhatTheLibrarySays() throws Exception {
        assertThat(workers(WORLD, TestGroup.PATIENT, workers -> {
                    workers.barrier();
                    nccl.symbols
                            .findOrThrow("stub_error")
                            .reinterpret(Integer.BYTES)
                            .set(ValueLayout.JAVA_INT, 0, 3);
                    workers.barrier();
                    return "done";
                }))
                .allMatch(text -> text.endsWith("failed in call 1 of worker 0: internal error (3): a cable is loose")
                        || text.contains("internal error (3): a cable is loose"));
    }

    @Test
    void namesALibraryThatLacksSomething() {
        assertThatThrownBy(() ->
                        new NcclLibrary(name -> name.equals("ncclReduce") ? Optional.empty() : nccl.symbols.find(name)))
                .hasMessage("libnccl.so.2 has no ncclReduce");
    }

    @Test
    void usesTheRealLibraryWhereThereIsOne() {
        String version;
        try {
            version = NcclCommunicator.version();
        } catch (CommunicatorException e) {
            assertThat(e).hasMessageStartingWith("no NCCL: libnccl.so.2 was not found");
            return;
        }
        assertThat(version).matches("2\\.\\d+\\.\\d+");
        assertThat(NcclCommunicator.newId()).hasSize(128).isNotEqualTo(NcclCommunicator.newId());
    }
}
