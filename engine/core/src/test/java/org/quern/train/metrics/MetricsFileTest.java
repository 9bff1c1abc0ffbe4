package org.quern.train.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;
import org.quern.train.TrainEvent;

class MetricsFileTest {
    @TempDir
    Path run;

    @Test
    void writesALineAStepAndALineAnEvaluation() throws IOException {
        try (MetricsFile file = started(0)) {
            file.on(new TrainEvent.Step(1, 10.828215, 6e-7, 22.5, 4096, 8123.456, 0.50419, false));
            file.on(new TrainEvent.Step(2, 11.5, 1.2e-6, 220.25, 8192, 8100, 1.0079, true));
            file.on(new TrainEvent.Evaluation(2, 10.75, 3.1, 2, List.of()));
            file.on(new TrainEvent.Evaluation(
                    3, 10.5, 3, 3, List.of(new TrainEvent.Evaluation.Source("web", 10.25, Double.NaN))));
        }
        assertThat(run.resolve("metrics.jsonl")).hasContent("""
                {"step":1,"loss":10.828215,"lr":6.0E-7,"grad_norm":22.5,"tokens":4096,"tokens_per_second":8123.5,"seconds":0.504}
                {"step":2,"loss":11.5,"lr":1.2E-6,"grad_norm":220.25,"tokens":8192,"tokens_per_second":8100.0,"seconds":1.008,"skipped":true}
                {"step":2,"val_loss":10.75,"val_bpb":3.1}
                {"step":3,"val_loss":10.5,"val_bpb":3.0,"val_loss/web":10.25,"val_bpb/web":null}
                """);
    }

    @Test
    void writesSamplesAndEvents() throws IOException {
        try (MetricsFile file = started(0)) {
            file.on(new TrainEvent.Sample(7, "Once", " upon\na \"time\" \u0000\ud83d\ude00"));
            file.on(new TrainEvent.Spike(7, 12, 80, "loss", List.of("a.txt:3")));
            file.on(new TrainEvent.CheckpointSaved(8, run.resolve("checkpoints/step-00000008"), 1000, 0.01, 0.1));
            file.on(new TrainEvent.CheckpointFailed(9, "disk full"));
            file.on(new TrainEvent.Finished(9, false, 10));
        }
        assertThat(run.resolve("samples.jsonl")).hasContent("""
                {"step":7,"prompt":"Once","text":" upon\\na \\"time\\" \\u0000\ud83d\ude00"}
                """);
        assertThat(Files.readAllLines(run.resolve("logs/events.jsonl")))
                .map(line -> line.replaceFirst(".*\"event\":\"(\\w+)\",\"step\":(\\d+).*", "$1 $2"))
                .containsExactly("started 0", "spike 7", "checkpoint 8", "checkpoint_failed 9", "finished 9");
    }

    @Test
    void writesNullForNumbersThatAreNotFinite() throws IOException {
        try (MetricsFile file = started(0)) {
            file.on(new TrainEvent.Step(
                    1, Double.NaN, 0.1, Double.POSITIVE_INFINITY, 1, Double.NEGATIVE_INFINITY, 1, false));
        }
        assertThat(run.resolve("metrics.jsonl")).hasContent("""
                {"step":1,"loss":null,"lr":0.1,"grad_norm":null,"tokens":1,"tokens_per_second":null,"seconds":1.0}
                """);
    }

    @Test
    void removesLinesOfLaterStepsWhenGoingOn() throws IOException {
        try (MetricsFile file = started(0)) {
            for (int step = 1; step <= 5; step++) {
                file.on(step(step));
                file.on(new TrainEvent.Sample(step, "", ""));
            }
        }
        try (MetricsFile file = started(3)) {
            file.on(step(4));
        }
        assertThat(steps("metrics.jsonl")).containsExactly("1", "2", "3", "4");
        assertThat(steps("samples.jsonl")).containsExactly("1", "2", "3");
        assertThat(Files.readAllLines(run.resolve("logs/events.jsonl"))).hasSize(2);
        assertThat(run.resolve("metrics.jsonl.tmp")).doesNotExist();
    }

    @Test
    void dropsATornLastLine() throws IOException {
        for (String torn : List.of("{\"step\":2,\"lo", "{\"step\":2,\"loss\":1.0", "\u0000\u0000\u0000", "{", "2")) {
            Files.deleteIfExists(run.resolve("metrics.jsonl"));
            try (MetricsFile file = started(0)) {
                file.on(step(1));
            }
            Files.writeString(run.resolve("metrics.jsonl"), torn, StandardOpenOption.APPEND);
            try (MetricsFile file = started(2)) {
                file.on(step(3));
            }
            assertThat(steps("metrics.jsonl")).as(torn).containsExactly("1", "3");
        }
    }

    @Test
    void keepsALastLineThatLacksOnlyItsEnd() throws IOException {
        Files.writeString(run.resolve("metrics.jsonl"), "{\"step\":1}\n{\"step\":2}");
        try (MetricsFile file = started(2)) {
            file.on(step(3));
        }
        assertThat(steps("metrics.jsonl")).containsExactly("1", "2", "3");
    }

    @Test
    void namesTheFileThatCannotBeOpened() throws IOException {
        Files.createDirectory(run.resolve("metrics.jsonl"));
        assertThatThrownBy(() -> started(0).close())
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("metrics.jsonl");
    }

    private MetricsFile started(long firstStep) {
        MetricsFile file = new MetricsFile();
        file.on(new TrainEvent.Started(run, firstStep, 10, 4096, ""));
        return file;
    }

    private static TrainEvent.Step step(long step) {
        return new TrainEvent.Step(step, 3, 0.001, 1, step * 4096, 8000, step, false);
    }

    private List<String> steps(String file) throws IOException {
        return Files.readAllLines(run.resolve(file)).stream()
                .map(line -> line.replaceFirst("\\{\"step\":(\\d+).*", "$1"))
                .toList();
    }
}
