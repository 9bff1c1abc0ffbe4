package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.checkpoint.StoredCheckpoints;
import org.quern.store.ObjectStore;
import org.quern.store.S3Server;

/// Runs whose checkpoints are copied into an object store, and others that go on from there.
class UploadedRunTest {
    private static final String UPLOAD = "checkpoint.upload=s3://tests/runs/tiny";

    @TempDir
    private Path folder;

    private S3Server server;
    private ObjectStore store;
    private StoredCheckpoints stored;
    private TinyRun tiny;

    @BeforeEach
    void start() {
        server = new S3Server();
        store = server.open("runs/tiny");
        stored = new StoredCheckpoints(store);
        tiny = new TinyRun(folder);
        tiny.environment(server.environment());
    }

    @AfterEach
    void stop() {
        store.close();
        server.close();
    }

    private List<Long> steps() {
        return stored.list().stream().map(StoredCheckpoints.Found::step).toList();
    }

    private static long firstStep(List<TrainEvent> events) {
        return TinyRun.only(TrainEvent.Started.class, events).getFirst().firstStep();
    }

    @Test
    void anotherMachineEndsWithTheSameBits() throws IOException {
        tiny.train("whole");
        List<TrainEvent> first = tiny.trainUntil(7, "first", UPLOAD, "checkpoint.keep=2");
        assertThat(TinyRun.only(TrainEvent.CheckpointUploaded.class, first))
                .extracting(TrainEvent.CheckpointUploaded::step)
                .contains(7L)
                .isSubsetOf(3L, 6L, 7L);
        assertThat(steps()).containsExactly(6L, 7L);

        List<TrainEvent> second = tiny.train("second", UPLOAD, "checkpoint.keep=2");
        assertThat(firstStep(second)).isEqualTo(7);
        tiny.assertSameBits("whole", "second", TinyRun.STEPS);
        assertThat(steps()).containsExactly(9L, 12L);
        for (long step : steps()) {
            assertThat(stored.verify(step)).isPositive();
        }
        assertThat(store.list("")).allSatisfy(object -> assertThat(object.key()).matches("step-000000(09|12)/.*"));
        assertNoSecret(folder);
    }

    private void assertNoSecret(Path place) throws IOException {
        String secret = server.environment().get("AWS_SECRET_ACCESS_KEY");
        try (Stream<Path> files = Files.walk(place)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertThat(Files.readString(file, StandardCharsets.ISO_8859_1))
                        .as(file.toString())
                        .doesNotContain(secret);
            }
        }
    }

    @Test
    void passesOverWhatIsDamaged() {
        tiny.trainUntil(7, "first", UPLOAD);
        byte[] weights = store.read("step-00000007/model.safetensors");
        weights[weights.length - 3] ^= 4;
        store.put("step-00000007/model.safetensors", weights);
        assertThatThrownBy(() -> stored.verify(7))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("s3://tests/runs/tiny/step-00000007/model.safetensors: expected checksum");
        store.delete("step-00000006/state.json");

        List<TrainEvent> second = tiny.train("second", UPLOAD);
        assertThat(firstStep(second)).isEqualTo(3);
        tiny.train("whole");
        tiny.assertSameBits("whole", "second", TinyRun.STEPS);
        assertThat(stored.verify(6)).as("written again").isPositive();
    }

    @Test
    void theNewerOfHereAndThereIsGoneOnFrom() {
        tiny.trainUntil(4, "run", UPLOAD);
        tiny.trainUntil(7, "run");
        assertThat(steps()).containsExactly(3L, 4L);
        List<TrainEvent> here = tiny.trainUntil(9, "run", UPLOAD);
        assertThat(firstStep(here)).isEqualTo(7);
        assertThat(steps()).containsExactly(3L, 4L, 6L, 7L, 9L);

        tiny.trainUntil(5, "older");
        assertThat(firstStep(tiny.train("older", UPLOAD))).isEqualTo(9);
    }

    @Test
    void failedUploadsAreTriedAgainWithTheNext() {
        server.refuse(key -> key.contains("step-00000003") || key.contains("step-00000006"));
        List<TrainEvent> first = new ArrayList<>();
        tiny.train(
                event -> {
                    first.add(event);
                    if (event instanceof TrainEvent.CheckpointUploadFailed failed && failed.step() == 6) {
                        server.refuse(_ -> false);
                    }
                },
                "run",
                UPLOAD,
                "train.steps=6");
        assertThat(TinyRun.only(TrainEvent.CheckpointUploadFailed.class, first)).anySatisfy(failed -> {
            assertThat(failed.step()).isEqualTo(6);
            assertThat(failed.reason()).contains("may not PUT here").contains("s3:PutObject");
        });
        assertThat(steps()).isEmpty();
        server.refuse(_ -> false);
        server.fail(3);
        tiny.train("run", UPLOAD, "train.steps=6");
        assertThat(steps()).containsExactly(3L, 6L);
    }

    @Test
    void whatIsKilledWhileItUploadsIsNotSeen() throws Exception {
        CountDownLatch arrived = server.hold(key -> key.contains("step-00000003/optimizer"));
        Process process = TrainProcess.start(
                server.environment(),
                List.of(),
                tiny.file(),
                tiny.run("killed"),
                folder.resolve("output.log").toFile(),
                UPLOAD);
        try {
            while (!arrived.await(1, TimeUnit.SECONDS)) {
                assertThat(process.isAlive()).as("running").isTrue();
            }
        } finally {
            process.destroyForcibly().waitFor();
        }
        server.hold(_ -> false);
        assertThat(store.list("step-00000003/")).isNotEmpty();
        assertThat(steps()).isEmpty();

        List<TrainEvent> other = tiny.train("other", UPLOAD, "checkpoint.every=6");
        assertThat(firstStep(other)).isZero();
        assertThat(steps()).containsExactly(6L, 12L);
        assertThat(store.list("step-00000003/")).isEmpty();
    }

    @Test
    void wrongKeysAreRefusedBeforeAnythingIsDone() {
        Map<String, String> environment = new HashMap<>(server.environment());
        environment.put("AWS_SECRET_ACCESS_KEY", "canary");
        tiny.environment(environment);
        assertThatThrownBy(() -> tiny.train("run", UPLOAD))
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA))
                .hasMessageContaining("the secret key does not belong to access key")
                .hasMessageNotContaining("canary");
        assertThat(tiny.run("run").resolve("config.yaml")).doesNotExist();
        assertThatThrownBy(() -> tiny.config("checkpoint.upload=s3://me:canary@tests/runs"))
                .hasMessageContaining("checkpoint.upload must be s3://BUCKET/PREFIX")
                .hasMessageNotContaining("canary");
    }

    @Test
    void severalWorkersUploadOnce() {
        List<List<TrainEvent>> events =
                tiny.trainTogether(2, TinyRun.STEPS, "together", UPLOAD, "train.global_batch=8");
        assertThat(steps()).containsExactly(3L, 6L, 9L, 12L);
        assertThat(TinyRun.only(TrainEvent.CheckpointUploaded.class, events.get(1)))
                .isEmpty();
        assertThat(firstStep(tiny.train("alone", UPLOAD, "train.global_batch=8", "train.steps=13")))
                .isEqualTo(12);
    }
}
