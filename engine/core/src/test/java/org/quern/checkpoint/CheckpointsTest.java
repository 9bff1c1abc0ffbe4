package org.quern.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.collective.Communicator;
import org.quern.collective.SingleCommunicator;

class CheckpointsTest {
    @TempDir
    Path run;

    private final Arena arena = Arena.ofAuto();

    record State(long step, String seed, List<Double> window) {}

    @Test
    void readsBackWhatItWrote() {
        Path written = checkpoints(3, 0).commit(1000, files(1000));

        assertThat(written).isEqualTo(folder().resolve("step-00001000"));
        assertThat(written).isDirectoryContaining("glob:**model.safetensors");
        Checkpoint found = Checkpoints.newestValid(folder()).orElseThrow();
        assertThat(found).isEqualTo(new Checkpoint(written, 1000));
        assertThat(found.json(Checkpoint.STATE, State.class)).isEqualTo(state(1000));
        assertThat(found.tensors(Checkpoint.MODEL, arena))
                .extracting(NamedTensor::name)
                .containsExactly("a", "b");
        assertThat(found.tensors(Checkpoint.OPTIMIZER, arena).getFirst().data().toArray(JAVA_FLOAT))
                .containsExactly(1000, 1001, 1002, 1003, 1004, 1005, 1006);
        assertThat(found.tensors(Checkpoint.OPTIMIZER, arena))
                .extracting(NamedTensor::name)
                .containsExactly("m.a", "m.b");
        assertThat(Checkpoint.open(written)).isEqualTo(found);
    }

    @Test
    void findsNoneInNewRun() {
        assertThat(Checkpoints.newestValid(folder())).isEmpty();
    }

    @Test
    void keepsTheLastAndEveryKth() {
        for (long step = 100; step <= 1200; step += 100) {
            checkpoints(2, 500).commit(step, files(step));
        }

        assertThat(names()).containsExactly("step-00000500", "step-00001000", "step-00001100", "step-00001200");
    }

    @Test
    void replacesTheSameStep() {
        checkpoints(2, 0).commit(7, files(7));
        checkpoints(2, 0).commit(7, files(8));

        assertThat(names()).containsExactly("step-00000007");
        assertThat(Checkpoint.open(folder().resolve("step-00000007")).json(Checkpoint.STATE, State.class))
                .isEqualTo(state(8));
    }

    @Test
    void passesOverEveryKindOfDamage() throws IOException {
        checkpoints(9, 0).commit(1, files(1));
        Path damaged = checkpoints(9, 0).commit(2, files(2));
        List<Path> files;
        try (Stream<Path> paths = Files.list(damaged)) {
            files = paths.toList();
        }
        assertThat(files)
                .extracting(file -> file.getFileName().toString())
                .containsExactlyInAnyOrder(
                        "model.safetensors",
                        "config.json",
                        "state.json",
                        "optimizer-00001-of-00002.safetensors",
                        "optimizer-00002-of-00002.safetensors",
                        "optimizer.safetensors.index.json",
                        "manifest.json");
        for (Path file : files) {
            byte[] whole = Files.readAllBytes(file);
            Files.delete(file);
            assertFallsBack(damaged);
            for (int length : new int[] {0, 1, 8, whole.length / 2, whole.length - 1}) {
                Files.write(file, Arrays.copyOf(whole, length));
                assertDamaged(damaged, damaged.toString());
            }
            for (int bit = 0; bit < 8 * whole.length; bit += 1 + whole.length) {
                byte[] flipped = whole.clone();
                flipped[bit / 8] ^= (byte) (1 << bit % 8);
                Files.write(file, flipped);
                assertDamaged(damaged, damaged.toString());
            }
            Files.write(file, whole);
            assertThat(Checkpoints.newestValid(folder())).hasValue(new Checkpoint(damaged, 2));
        }
    }

    @Test
    @Tag("slow")
    void findsEveryFlippedBit() throws IOException {
        Path damaged = checkpoints(9, 0).commit(2, files(2));
        List<Path> files;
        try (Stream<Path> paths = Files.list(damaged)) {
            files = paths.toList();
        }
        for (Path file : files) {
            byte[] whole = Files.readAllBytes(file);
            for (int bit = 0; bit < 8 * whole.length; bit++) {
                byte[] flipped = whole.clone();
                flipped[bit / 8] ^= (byte) (1 << bit % 8);
                Files.write(file, flipped);
                assertThatThrownBy(() -> Checkpoint.open(damaged)).isInstanceOf(QuernException.class);
            }
            Files.write(file, whole);
        }
        Checkpoint.open(damaged);
    }

    @Test
    void putsAsideWhatIsDamagedAndNewerThanAWholeOne() throws IOException {
        checkpoints(9, 0).commit(1, files(1));
        checkpoints(9, 0).commit(2, files(2));
        for (int time = 0; time < 2; time++) {
            flip(checkpoints(9, 0).commit(3, files(3)).resolve("state.json"), 3);
            Files.delete(checkpoints(9, 0).commit(4, files(4)).resolve("manifest.json"));
            assertThat(Checkpoints.recover(folder()).orElseThrow().step()).isEqualTo(2);
        }
        assertThat(names())
                .containsExactly(
                        "quarantine-step-00000003",
                        "quarantine-step-00000003-2",
                        "quarantine-step-00000004",
                        "quarantine-step-00000004-2",
                        "step-00000001",
                        "step-00000002");
        assertThat(Checkpoints.list(folder()))
                .extracting(Checkpoints.Found::step, Checkpoints.Found::quarantined)
                .containsExactly(
                        tuple(1L, false),
                        tuple(2L, false),
                        tuple(3L, true),
                        tuple(3L, true),
                        tuple(4L, true),
                        tuple(4L, true));
    }

    @Test
    void putsNothingAsideIfNoneIsWhole() throws IOException {
        flip(checkpoints(9, 0).commit(1, files(1)).resolve("state.json"), 3);
        flip(checkpoints(9, 0).commit(2, files(2)).resolve("state.json"), 3);
        for (int time = 0; time < 2; time++) {
            assertThatThrownBy(() -> Checkpoints.recover(folder())).hasMessageContaining("no checkpoint is whole");
        }
        assertThat(names()).containsExactly("step-00000001", "step-00000002");
    }

    @Test
    void namesTheDamage() throws IOException {
        Path damaged = checkpoints(9, 0).commit(2, files(2));
        Path model = damaged.resolve("model.safetensors");
        long size = Files.size(model);
        byte[] whole = Files.readAllBytes(model);

        flip(model, size - 1);
        assertDamaged(damaged, "model.safetensors: expected checksum ", ", found ", ", in tensor b");
        flip(model, size - 1);
        flip(model, size - 4 * 7 - 1);
        assertDamaged(damaged, "model.safetensors: expected checksum ", ", in tensor a");
        Files.write(model, Arrays.copyOf(whole, 100));
        assertDamaged(damaged, "model.safetensors: expected %d bytes, found 100".formatted(size));
        Files.delete(model);
        assertDamaged(damaged, "model.safetensors: expected %d bytes, found no such file".formatted(size));
        Files.delete(damaged.resolve("manifest.json"));
        assertDamaged(damaged, "manifest.json: expected a file of JSON, found none");
        assertThatThrownBy(() -> Checkpoints.newestValid(folder()))
                .isInstanceOf(QuernException.class)
                .hasMessageContainingAll("no checkpoint is whole; remove the folder", "manifest.json");
        assertDamaged(run.resolve("nowhere"), "nowhere: expected the folder of a checkpoint, found none");
    }

    @Test
    void rejectsAStateOfAnotherVersion() {
        record Older(long step, String seed) {}
        record Newer(long step, String seed, List<Double> window, int more) {}
        checkpoints(9, 0).commit(2, files(2));
        Checkpoint checkpoint = Checkpoints.newestValid(folder()).orElseThrow();

        for (Class<?> version : List.of(Older.class, Newer.class)) {
            assertThatThrownBy(() -> checkpoint.json(Checkpoint.STATE, version))
                    .isInstanceOf(QuernException.class)
                    .hasMessageContainingAll("state.json: expected the fields of " + version.getSimpleName());
        }
    }

    @Test
    void rejectsManifestOfAnotherStep() throws IOException {
        Path written = checkpoints(9, 0).commit(2, files(2));
        Files.move(written, folder().resolve("step-00000003"));

        assertThatThrownBy(() -> Checkpoints.newestValid(folder()))
                .hasMessageContaining("expected the checkpoint of step 3, found that of step 2");
    }

    @Test
    void survivesAKillAtEveryStage() throws IOException {
        checkpoints(9, 0).commit(1, files(1));
        Path next = checkpoints(9, 0).commit(2, files(2));
        Path killed = folder().resolve(".tmp-step-00000002");
        Files.move(next, killed);
        List<Path> written;
        try (Stream<Path> paths = Files.list(killed)) {
            written = paths.sorted().toList();
        }
        for (Path file : written) {
            try (RandomAccessFile torn = new RandomAccessFile(file.toFile(), "rw")) {
                torn.setLength(torn.length() / 2);
            }
            assertThat(Checkpoints.newestValid(folder()).orElseThrow().step()).isEqualTo(1);
            Files.delete(file);
            assertThat(Checkpoints.newestValid(folder()).orElseThrow().step()).isEqualTo(1);
        }
        Files.writeString(killed.resolve("model.safetensors"), "torn");

        checkpoints(9, 0).commit(2, files(2));

        assertThat(names()).containsExactly("step-00000001", "step-00000002");
        assertThat(Checkpoints.newestValid(folder()).orElseThrow().step()).isEqualTo(2);
    }

    @Test
    void leavesNothingOfAFailedWrite() {
        checkpoints(1, 0).commit(1, files(1));
        CheckpointFile failing = new CheckpointFile.Content("x".repeat(300), new byte[3]);
        List<CheckpointFile> files =
                Stream.concat(files(2).stream(), Stream.of(failing)).toList();

        assertThatThrownBy(() -> checkpoints(1, 0).commit(2, files))
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.IO))
                .hasMessageContainingAll("step-00000002 could not be written", "File name too long");

        assertThat(names()).containsExactly("step-00000001");
        assertThat(Checkpoints.newestValid(folder()).orElseThrow().step()).isEqualTo(1);
    }

    @Test
    void refusesWhatTheDiskCannotHold() {
        long size = 1L << 55;
        NamedTensor huge = NamedTensor.floats("huge", MemorySegment.NULL.reinterpret(size), size / 4);

        assertThatThrownBy(() -> checkpoints(1, 0)
                        .commit(1, List.of(new CheckpointFile.Tensors("model.safetensors", List.of(huge)))))
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.IO))
                .hasMessageContainingAll("step-00000001", "takes 36,028,797,018,963,9", " bytes, the disk has ");
        assertThat(names()).isEmpty();
    }

    @Test
    void retentionCountsNothingNewerThanTheStepWritten() throws IOException {
        checkpoints(9, 0).commit(1, files(1));
        Path damaged = checkpoints(9, 0).commit(5, files(5));
        flip(damaged.resolve("state.json"), 3);

        checkpoints(1, 0).commit(2, files(2));

        assertThat(names()).containsExactly("step-00000002", "step-00000005");
        assertThat(Checkpoints.newestValid(folder()).orElseThrow().step()).isEqualTo(2);
    }

    private void assertFallsBack(Path damaged) {
        assertThatThrownBy(() -> Checkpoint.open(damaged)).isInstanceOf(QuernException.class);
        assertThat(Checkpoints.newestValid(folder()).orElseThrow().step()).isEqualTo(1);
    }

    private static void assertDamaged(Path damaged, String... words) {
        assertThatThrownBy(() -> Checkpoint.open(damaged))
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA))
                .hasMessageContainingAll(words);
    }

    private static void flip(Path file, long position) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        bytes[(int) position] ^= 4;
        Files.write(file, bytes);
    }

    private Path folder() {
        return run.resolve("checkpoints");
    }

    private CheckpointCommitter checkpoints(int keep, long keepEvery) {
        return new CheckpointCommitter(folder(), keep, keepEvery, new SingleCommunicator(Communicator.Place.HOST));
    }

    private List<String> names() {
        try (Stream<Path> paths = Files.list(folder())) {
            return paths.map(path -> path.getFileName().toString()).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static State state(long step) {
        return new State(step, "s", List.of(0.1, 1.0 / 3));
    }

    private List<CheckpointFile> files(long step) {
        List<NamedTensor> moments = List.of(floats("m.a", step), floats("m.b", step));
        List<CheckpointFile> files = new ArrayList<>(List.of(
                new CheckpointFile.Tensors("model.safetensors", List.of(floats("a", step), floats("b", step))),
                new CheckpointFile.Content("config.json", "{}".getBytes(StandardCharsets.UTF_8)),
                CheckpointFile.json(Checkpoint.STATE, state(step))));
        files.addAll(TensorFiles.shared(
                        Checkpoint.OPTIMIZER,
                        moments.stream().map(NamedTensor::spec).toList(),
                        30,
                        1)
                .files(
                        0,
                        spec -> moments.stream()
                                .filter(tensor -> tensor.spec().equals(spec))
                                .findFirst()
                                .orElseThrow()
                                .data()));
        return files;
    }

    private NamedTensor floats(String name, long first) {
        MemorySegment data = arena.allocate(4 * 7);
        for (int i = 0; i < 7; i++) {
            data.setAtIndex(JAVA_FLOAT, i, first + i);
        }
        return NamedTensor.floats(name, data, 7);
    }
}
