package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.NamedTensor;
import tools.jackson.databind.JsonNode;

class TrainingRunTest {
    @TempDir
    Path folder;

    private TinyRun tiny;

    @BeforeEach
    void writeData() {
        tiny = new TinyRun(folder);
    }

    static List<Arguments> variants() {
        return List.of(
                Arguments.of("AdamW", new String[0]),
                Arguments.of("Muon", new String[] {"optimizer={name: muon, lr: 1e-2, muon: {lr: 0.02}}"}),
                Arguments.of("bf16 moments", new String[] {"optimizer={lr: 1e-2, moments: bfloat16}"}),
                Arguments.of("GPT-2", new String[] {
                    "model.architecture=gpt2", "model.num_key_value_heads=2", "train.clip_grad_norm=off"
                }),
                Arguments.of("documents apart", new String[] {"data.document_mask=true", "model.sliding_window=5"}),
                Arguments.of(
                        "warm-up, stable, decay",
                        new String[] {"schedule={name: wsd, warmup_steps: 2, decay_steps: 4}", "train.micro_batch=6"}),
                Arguments.of("spikes", new String[] {"train.spike_guard={window: 8, z_score: 0.5}"}));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("variants")
    void endsWithTheSameBitsHoweverOftenItWasStopped(String name, String[] variant) {
        tiny.train("whole", variant);
        String[] threads = {"run.threads=1", "run.threads=2", "run.threads=3"};
        long[] stops = {1, 4, 6, 11};
        for (int i = 0; i < stops.length; i++) {
            tiny.trainUntil(stops[i], "stopped", with(variant, threads[i % 3]));
        }
        tiny.train("stopped", with(variant, threads[1]));
        tiny.assertSameBits("whole", "stopped", TinyRun.STEPS);
        for (String key : List.of("loss", "val_loss")) {
            assertThat(values("stopped", key)).isEqualTo(values("whole", key)).isNotEmpty();
        }
        assertThat(tiny.steps("stopped", "loss")).isEqualTo(allSteps());
    }

    @Test
    void mixesSourcesWithTheSameBitsHoweverOftenItWasStopped() {
        String[] mixture = tiny.mixture();
        tiny.train("whole", mixture);
        for (long stop : new long[] {1, 5, 6, 11}) {
            tiny.trainUntil(stop, "stopped", mixture);
        }
        tiny.train("stopped", mixture);
        tiny.assertSameBits("whole", "stopped", TinyRun.STEPS);
        for (String key : List.of("loss", "val_loss", "val_loss/first", "val_loss/third")) {
            assertThat(values("stopped", key)).isEqualTo(values("whole", key)).isNotEmpty();
        }
    }

    /// The loss of a source is that of a run that evaluates on it alone; the mean is weighted by what the run takes.
    @Test
    void evaluatesEachSourceOfAMixture() {
        String[] mixture = tiny.mixture();
        TrainEvent.Evaluation last = TinyRun.only(TrainEvent.Evaluation.class, tiny.train("run", mixture))
                .getLast();
        assertThat(last.sources())
                .extracting(TrainEvent.Evaluation.Source::name)
                .containsExactly("first", "third");
        MixturePlan plan = MixturePlan.of(tiny.config(mixture), tiny.run("run"));
        double first = plan.rows().get(0).tokensTaken();
        double third = plan.rows().get(2).tokensTaken();
        assertThat(last.loss())
                .isCloseTo(
                        (first * last.sources().get(0).loss()
                                        + third * last.sources().get(1).loss())
                                / (first + third),
                        withinPercentage(1e-9));
        assertThat(tiny.lines("run", "metrics.jsonl").getLast().propertyNames())
                .containsExactly(
                        "step",
                        "val_loss",
                        "val_bpb",
                        "val_loss/first",
                        "val_bpb/first",
                        "val_loss/third",
                        "val_bpb/third");
    }

    private List<String> values(String run, String key) {
        return tiny.lines(run, "metrics.jsonl").stream()
                .filter(line -> line.has(key))
                .map(line -> line.path("step") + " " + line.path(key) + line.path("skipped"))
                .toList();
    }

    @Test
    void keepsBf16MomentsInHalfTheBytes() {
        String bf16 = "optimizer={lr: 1e-2, moments: bfloat16}";
        tiny.train("run", bf16, "train.steps=3");
        try (Arena arena = Arena.ofConfined()) {
            assertThat(Checkpoint.open(tiny.checkpoint("run", 3)).tensors(Checkpoint.OPTIMIZER, arena))
                    .isNotEmpty()
                    .allSatisfy(tensor -> assertThat(tensor.dtype()).isEqualTo(NamedTensor.DType.BF16));
        }
        tiny.train("run", "train.steps=6");
        assertThatThrownBy(() -> tiny.train("run", bf16, "train.steps=9"))
                .hasMessageStartingWith("optimizer.moments must stay float32, as in ");
    }

    @Test
    void writesEveryFile() {
        String[] text = tiny.text();
        tiny.train("run", text);
        assertThat(files(tiny.run("run")))
                .contains(
                        "config.yaml",
                        "metrics.jsonl",
                        "samples.jsonl",
                        "report.html",
                        "tokenizer.json",
                        "logs/events.jsonl",
                        "checkpoints")
                .anyMatch(file -> file.startsWith("tensorboard/events.out.tfevents."));
        assertThat(tiny.checkpoints("run")).containsExactly(3L, 6L, 9L, 12L);
        for (long step : tiny.checkpoints("run")) {
            assertThat(files(tiny.checkpoint("run", step)))
                    .containsExactlyInAnyOrder(
                            "model.safetensors",
                            "config.json",
                            "tokenizer.json",
                            "tokenizer_config.json",
                            "generation_config.json",
                            "optimizer.safetensors",
                            "state.json",
                            "manifest.json");
        }
        assertThat(tiny.steps("run", "loss")).isEqualTo(allSteps());
        assertThat(tiny.steps("run", "val_loss")).containsExactly(4L, 8L, 12L);
        assertThat(tiny.steps("run", "val_bpb")).containsExactly(4L, 8L, 12L);
        assertThat(tiny.lines("run", "samples.jsonl"))
                .extracting(
                        line -> line.path("step").asLong() + line.path("prompt").asString())
                .containsExactly("5the", "5", "10the", "10", "12the", "12");
        assertThat(tiny.lines("run", "metrics.jsonl").getFirst().propertyNames())
                .containsExactly("step", "loss", "lr", "grad_norm", "tokens", "tokens_per_second", "seconds");
    }

    @Test
    void makesUpForEvaluationsAndSamplesThatAStopCutShort() {
        String[] text = with(tiny.text(), "sample.every=4");
        tiny.train("whole", text);
        tiny.trainUntil(4, "stopped", text);
        tiny.trainUntil(TrainEvent.Evaluation.class, "stopped", text);
        tiny.trainUntil(TrainEvent.Sample.class, "stopped", text);
        tiny.trainUntil(8, "stopped", text);
        tiny.trainUntil(12, "stopped", text);
        tiny.trainUntil(TrainEvent.Evaluation.class, "stopped", text);
        assertThat(tiny.train("stopped", text))
                .hasExactlyElementsOfTypes(
                        TrainEvent.Started.class,
                        TrainEvent.Sample.class,
                        TrainEvent.Sample.class,
                        TrainEvent.Finished.class);
        assertThat(tiny.steps("stopped", "val_loss")).containsExactly(4L, 8L, 12L);
        assertThat(tiny.lines("stopped", "samples.jsonl")).isEqualTo(tiny.lines("whole", "samples.jsonl"));
    }

    @Test
    void changesNothingWhenItIsComplete() throws IOException {
        String[] text = tiny.text();
        tiny.train("run", text);
        List<JsonNode> metrics = tiny.lines("run", "metrics.jsonl");
        List<JsonNode> samples = tiny.lines("run", "samples.jsonl");
        FileTime written = Files.getLastModifiedTime(tiny.checkpoint("run", TinyRun.STEPS));
        List<TrainEvent> events = tiny.train("run", text);
        assertThat(events).hasSize(2);
        assertThat(events.getFirst())
                .isInstanceOfSatisfying(
                        TrainEvent.Started.class,
                        started -> assertThat(started.firstStep()).isEqualTo(TinyRun.STEPS));
        assertThat(events.getLast()).isInstanceOfSatisfying(TrainEvent.Finished.class, finished -> {
            assertThat(finished.step()).isEqualTo(TinyRun.STEPS);
            assertThat(finished.complete()).isTrue();
        });
        assertThat(tiny.lines("run", "metrics.jsonl")).isEqualTo(metrics);
        assertThat(tiny.lines("run", "samples.jsonl")).isEqualTo(samples);
        assertThat(Files.getLastModifiedTime(tiny.checkpoint("run", TinyRun.STEPS)))
                .isEqualTo(written);
    }

    @Test
    void goesOnWhenThereAreMoreSteps() {
        String[] constant = {"schedule={name: constant}"};
        tiny.train("run", with(constant, "train.steps=5"));
        tiny.train("run", constant);
        tiny.train("whole", constant);
        tiny.assertSameBits("whole", "run", TinyRun.STEPS);
    }

    @Test
    void writesACheckpointWhenAsked() {
        Iterator<Boolean> answers =
                Stream.iterate(1, step -> step + 1).map(step -> step == 2).iterator();
        tiny.train(answers::next, "asked", "checkpoint.every=off");
        tiny.train("whole");
        assertThat(tiny.checkpoints("asked")).containsExactly(2L, (long) TinyRun.STEPS);
        tiny.assertSameBits("whole", "asked", TinyRun.STEPS);
    }

    @Test
    void writesACheckpointAfterTheMinutesOfTheConfig() {
        tiny.train("run", "checkpoint={every: off, minutes: 1e-9, keep: all}");
        assertThat(tiny.checkpoints("run")).hasSize(TinyRun.STEPS);
    }

    @Test
    void isCompleteWhenItHasMoreStepsThanAskedFor() {
        tiny.train("run");
        assertThat(tiny.train("run", "train.steps=5"))
                .hasExactlyElementsOfTypes(TrainEvent.Started.class, TrainEvent.Finished.class);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void losesTheSameWithAnyMicroBatch(int size) {
        List<TrainEvent.Step> expected = TinyRun.only(TrainEvent.Step.class, tiny.train("6", "train.micro_batch=6"));
        List<TrainEvent.Step> actual =
                TinyRun.only(TrainEvent.Step.class, tiny.train("run", "train.micro_batch=" + size));
        for (int i = 0; i < expected.size(); i++) {
            assertThat(actual.get(i).loss()).isCloseTo(expected.get(i).loss(), withinPercentage(1e-3));
            assertThat(actual.get(i).gradNorm()).isCloseTo(expected.get(i).gradNorm(), withinPercentage(1e-2));
        }
    }

    /// As if the machine failed right after an event: what was in memory is gone.
    @Test
    void endsWithTheSameBitsWhereverItBroke() {
        tiny.train("whole");
        Random random = new Random(7);
        for (int start = 0; start < 12; start++) {
            int[] left = {random.nextInt(12)};
            try {
                tiny.train(
                        event -> {
                            if (left[0]-- == 0) {
                                throw new IllegalStateException("broken");
                            }
                        },
                        "broken");
            } catch (IllegalStateException e) {
                assertThat(e).hasMessage("broken");
            }
        }
        tiny.train("broken");
        tiny.assertSameBits("whole", "broken", TinyRun.STEPS);
        assertThat(values("broken", "loss")).isEqualTo(values("whole", "loss"));
        assertThat(values("broken", "val_loss")).isEqualTo(values("whole", "val_loss"));
    }

    @Test
    void writesTheInitialWeightsWhenThereIsNothingToTrain() {
        tiny.train("run", "train.steps=0", "schedule={name: constant}");
        tiny.train("run", "train.steps=0", "schedule={name: constant}");
        assertThat(tiny.checkpoints("run")).containsExactly(0L);
        tiny.train("run");
        tiny.train("whole");
        tiny.assertSameBits("whole", "run", TinyRun.STEPS);
    }

    private static List<String> files(Path folder) {
        try (Stream<Path> files = Files.walk(folder, 2)) {
            return files.filter(file -> !file.equals(folder))
                    .map(file -> folder.relativize(file).toString())
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Long> allSteps() {
        return LongStream.rangeClosed(1, TinyRun.STEPS).boxed().toList();
    }

    @Test
    void learns() {
        List<TrainEvent.Step> steps = TinyRun.only(TrainEvent.Step.class, tiny.train("run"));
        assertThat(steps.getLast().loss()).isLessThan(steps.getFirst().loss() - 0.2);
    }

    private static String[] with(String[] overrides, String one) {
        return Stream.concat(Arrays.stream(overrides), Stream.of(one)).toArray(String[]::new);
    }
}
