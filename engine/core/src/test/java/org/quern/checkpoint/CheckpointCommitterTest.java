package org.quern.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.base.QuernException;
import org.quern.checkpoint.NamedTensor.DType;
import org.quern.train.LocalGroup;

/// Several workers that write a checkpoint together, as threads.
class CheckpointCommitterTest {
    private static final List<TensorSpec> SPECS = IntStream.range(0, 11)
            .mapToObj(i -> new TensorSpec("tensor" + i, DType.F32, List.of(1L + i)))
            .toList();

    @TempDir
    Path folder;

    private final Arena arena = Arena.ofAuto();

    private interface Commit {
        Object at(int rank, CheckpointCommitter committer) throws Exception;
    }

    @ParameterizedTest
    @CsvSource({"1, 1000", "2, 1000", "2, 50", "3, 50", "5, 1", "20, 1"})
    void eachWorkerWritesItsFiles(int world, long maxBytes) throws Exception {
        TensorFiles weights = TensorFiles.shared("model", SPECS, maxBytes, world);
        TensorFiles moments = TensorFiles.owned("optimizer", SPECS, maxBytes, spec -> SPECS.indexOf(spec) * 7 % world);
        for (int step = 1; step <= 2; step++) {
            int now = step;
            together(world, (rank, committer) -> committer.commit(now, files(rank, weights, moments)));
        }
        Checkpoint checkpoint = Checkpoint.open(folder.resolve("step-00000002"));
        for (String base : List.of("model", "optimizer")) {
            List<NamedTensor> found = checkpoint.tensors(base, arena);
            assertThat(found).extracting(NamedTensor::spec).containsExactlyInAnyOrderElementsOf(SPECS);
            assertThat(found)
                    .allSatisfy(tensor -> assertThat(tensor.data().toArray(ValueLayout.JAVA_FLOAT))
                            .containsOnly(SPECS.indexOf(tensor.spec())));
        }
        assertThat(names(folder)).containsExactly("step-00000001", "step-00000002");
        int expected = weights.parts().size() + moments.parts().size() + 2;
        assertThat(names(folder.resolve("step-00000002")))
                .hasSize(expected
                        + (weights.parts().size() > 1 ? 1 : 0)
                        + (moments.parts().size() > 1 ? 1 : 0));
    }

    @Test
    void allFailTogetherAndGoOn() throws Exception {
        TensorFiles weights = TensorFiles.shared("model", SPECS, 1, 3);
        TensorFiles moments = TensorFiles.shared("optimizer", SPECS, 1, 3);
        for (int bad = 0; bad < 3; bad++) {
            int failing = bad;
            List<Object> results = together(3, (rank, committer) -> {
                List<CheckpointFile> files = new ArrayList<>(files(rank, weights, moments));
                if (rank == failing) {
                    files.add(new CheckpointFile.Content("x".repeat(300), new byte[3]));
                }
                return committer.commit(5, files);
            });
            for (int rank = 0; rank < 3; rank++) {
                assertThat(results.get(rank))
                        .isInstanceOfSatisfying(
                                QuernException.class,
                                e -> assertThat(e).hasMessageContaining("step-00000005 could not be written"));
                if (rank != failing) {
                    assertThat((Throwable) results.get(rank)).hasMessageEndingWith("by worker " + failing);
                }
            }
            assertThat(names(folder)).isEmpty();
        }
        List<Object> results = together(3, (rank, committer) -> committer.commit(5, files(rank, weights, moments)));
        assertThat(results).containsOnly(folder.resolve("step-00000005"));
    }

    private List<CheckpointFile> files(int rank, TensorFiles weights, TensorFiles moments) {
        List<CheckpointFile> files = new ArrayList<>();
        if (rank == 0) {
            files.add(CheckpointFile.text("config.json", "{}"));
        }
        files.addAll(weights.files(rank, this::data));
        files.addAll(moments.files(rank, this::data));
        return files;
    }

    private MemorySegment data(TensorSpec spec) {
        MemorySegment data = arena.allocate(spec.bytes(), 4);
        for (long i = 0; i < spec.bytes() / Float.BYTES; i++) {
            data.setAtIndex(ValueLayout.JAVA_FLOAT, i, SPECS.indexOf(spec));
        }
        return data;
    }

    /// What each worker returns or throws.
    private List<Object> together(int world, Commit commit) throws InterruptedException {
        LocalGroup group = new LocalGroup(world);
        List<Object> results = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(world)) {
            List<Future<Object>> workers = new ArrayList<>();
            for (int i = 0; i < world; i++) {
                int rank = i;
                workers.add(
                        threads.submit(() -> commit.at(rank, new CheckpointCommitter(folder, 2, 0, group.of(rank)))));
            }
            for (Future<Object> worker : workers) {
                try {
                    results.add(worker.get());
                } catch (ExecutionException e) {
                    results.add(e.getCause());
                }
            }
        }
        return results;
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }
}
