package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/// Runs whose process is killed with SIGKILL, again and again, until they are complete.
class KilledRunTest {
    private static final int STEPS = 20;

    @TempDir
    Path folder;

    private TinyRun tiny;
    private String[] overrides;

    /// When to kill.
    private interface Moment {
        boolean hasCome() throws IOException;
    }

    @BeforeEach
    void prepare() {
        tiny = new TinyRun(folder);
        overrides = Stream.concat(
                        Stream.of(tiny.text()),
                        Stream.of(
                                "train.steps=" + STEPS,
                                "train.global_batch=2",
                                "checkpoint.every=2",
                                "checkpoint.keep=2"))
                .toArray(String[]::new);
        tiny.train("whole", overrides);
    }

    @Test
    @Timeout(value = 10, unit = TimeUnit.MINUTES)
    void endsWithTheSameBits() throws Exception {
        Random random = new Random(1);
        kill(after(random.nextInt(1500)));
        kill(step(random.nextInt(3, 6)));
        kill(checkpoint());
        assertEndsAsIfUndisturbed();
    }

    @Test
    @Tag("slow")
    @Timeout(value = 60, unit = TimeUnit.MINUTES)
    void endsWithTheSameBitsAfterManyKills() throws Exception {
        Random random = new Random(2);
        for (int i = 0; i < 40; i++) {
            kill(
                    switch (i % 3) {
                        case 0 -> after(random.nextInt(3000));
                        case 1 -> step(lastStep() + random.nextInt(4));
                        default -> checkpoint();
                    });
            Thread.sleep(random.nextInt(30));
        }
        assertEndsAsIfUndisturbed();
    }

    private void assertEndsAsIfUndisturbed() throws Exception {
        Process last = start();
        try {
            assertThat(last.waitFor()).as("see " + output()).isZero();
        } finally {
            last.destroyForcibly();
        }
        tiny.assertSameBits("whole", "killed", STEPS);
        assertThat(tiny.steps("killed", "loss"))
                .isEqualTo(LongStream.rangeClosed(1, STEPS).boxed().toList());
        assertThat(losses("killed")).isEqualTo(losses("whole"));
        assertThat(tiny.steps("killed", "val_loss")).isEqualTo(tiny.steps("whole", "val_loss"));
        assertThat(tiny.lines("killed", "samples.jsonl")).isEqualTo(tiny.lines("whole", "samples.jsonl"));
        assertThat(tiny.checkpoints("killed")).isEqualTo(tiny.checkpoints("whole"));
    }

    private List<JsonNode> losses(String run) {
        return tiny.lines(run, "metrics.jsonl").stream()
                .map(line -> line.path("loss"))
                .toList();
    }

    /// Starts the run, and kills it when the moment has come, unless it ends before.
    private void kill(Moment moment) throws Exception {
        Process process = start();
        try {
            while (process.isAlive() && !moment.hasCome()) {
                Thread.sleep(1);
            }
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    private Process start() throws IOException {
        return TrainProcess.start(tiny.file(), tiny.run("killed"), output().toFile(), overrides);
    }

    private Path output() {
        return folder.resolve("output.log");
    }

    private static Moment after(int milliseconds) {
        long began = System.nanoTime();
        return () -> System.nanoTime() - began > milliseconds * 1_000_000L;
    }

    private Moment step(long step) {
        return () -> lastStep() >= step;
    }

    private long lastStep() throws IOException {
        Path metrics = tiny.run("killed").resolve("metrics.jsonl");
        if (!Files.exists(metrics)) {
            return 0;
        }
        try (Stream<String> lines = Files.lines(metrics)) {
            return lines.filter(line -> line.contains("\"loss\"")).count();
        }
    }

    /// While a checkpoint is written.
    private Moment checkpoint() {
        return () -> {
            Path checkpoints = tiny.run("killed").resolve("checkpoints");
            if (!Files.exists(checkpoints)) {
                return false;
            }
            try (Stream<Path> files = Files.list(checkpoints)) {
                return files.anyMatch(file -> file.getFileName().toString().startsWith(".tmp-step-"));
            }
        };
    }
}
