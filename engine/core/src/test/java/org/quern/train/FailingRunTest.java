package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

class FailingRunTest {
    @TempDir
    Path folder;

    private TinyRun tiny;

    @BeforeEach
    void writeData() {
        tiny = new TinyRun(folder);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "run.seed=4; run.seed; 3; 4",
                "train.global_batch=4; train.global_batch; 6; 4",
                "train.sequence_length=12; train.sequence_length; 13; 12",
                "data.document_mask=true; data.document_mask; false; true"
            })
    void refusesAnotherOrderOfSamples(String override, String key, String then, String now) {
        tiny.trainUntil(3, "run", "model.max_position_embeddings=13");
        QuernException e = failure("run", "model.max_position_embeddings=13", override);
        assertThat(e.exitCode()).isEqualTo(ExitCode.DATA);
        assertThat(e)
                .hasMessageStartingWith(key + " must stay what it was in " + tiny.checkpoint("run", 3))
                .hasMessageContaining("it was %s, got %s", then, now);
    }

    @Test
    void refusesOtherData() {
        tiny.trainUntil(3, "run");
        tiny.writeTokens("train.bin", 2999, 4);
        QuernException e = failure("run");
        assertThat(e.exitCode()).isEqualTo(ExitCode.DATA);
        assertThat(e).hasMessageContaining("data").hasMessageContaining("must stay what it was");
    }

    @Test
    void refusesAnotherMixture() {
        String[] mixture = tiny.mixture();
        tiny.trainUntil(6, "run", mixture);
        for (String other :
                List.of(mixture[0].replace("weight: 0.3", "weight: 0.4"), mixture[0].replace("over: 5", "over: 6"))) {
            QuernException e = failure("run", other);
            assertThat(e.exitCode()).isEqualTo(ExitCode.DATA);
            assertThat(e)
                    .hasMessageStartingWith("the weights of data.sources and what has begun of data.anneal must stay"
                            + " what it was in " + tiny.checkpoint("run", 6))
                    .hasMessageContaining("[0.1, 0.1, 0.8] after step 4 over 5");
        }
        assertThat(failure("run", mixture[0].replace("second.bin", "third.bin")))
                .hasMessageContaining("data")
                .hasMessageContaining("must stay what it was");
        assertThat(failure("run")).hasMessageContaining("must stay what it was");
    }

    /// What a mixture is to become may be decided late, and the order is that of a run where it was known.
    @Test
    void goesOnWithALaterChangeOfTheMixture() {
        String[] known = tiny.mixture();
        String later = known[0].replaceFirst("anneal.*", "document_mask: false}");
        tiny.train("whole", known);
        tiny.trainUntil(4, "run", later);
        tiny.train("run", known);
        tiny.assertSameBits("whole", "run", TinyRun.STEPS);
    }

    @Test
    void refusesToReadASourceTooOften() {
        String mixture = tiny.mixture()[0].replace("max_epochs: 2", "max_epochs: 0.5");
        QuernException e = failure("run", mixture);
        assertThat(e.exitCode()).isEqualTo(ExitCode.DATA);
        assertThat(e).hasMessage("""
                        source                      tokens             weight    tokens of the run   epochs     at most
                        first                        2,999   60.0 % to 10.0 %                  351     0.12   unlimited
                        second                         700   30.0 % to 10.0 %                  195     0.28   unlimited
                        third                          500   10.0 % to 80.0 %                  390     0.79         0.5
                        data.sources[2].max_epochs must be at least 0.79 for what the run takes of third: it has 500\
                         tokens to train on, and the run asks for 390 (lower its weight, lower train.steps to 9, give\
                         it more data, or raise max_epochs from 0.5)""");
        assertThat(tiny.run("run").resolve("metrics.jsonl")).doesNotExist();
        tiny.train("run", mixture, "train.steps=9");
    }

    @Test
    void refusesAnotherModel() {
        tiny.trainUntil(3, "run");
        QuernException e = failure("run", "model.intermediate_size=32");
        assertThat(e.exitCode()).isEqualTo(ExitCode.DATA);
        assertThat(e).hasMessageContaining("model.layers.0.mlp.down_proj.weight: expected [16, 32], found [16, 24]");
    }

    @Test
    void refusesAnotherOptimizer() {
        tiny.trainUntil(3, "run");
        QuernException e = failure("run", "optimizer={name: muon, lr: 1e-2, muon: {lr: 0.02}}");
        assertThat(e.exitCode()).isEqualTo(ExitCode.DATA);
        assertThat(e).hasMessageContaining("momentum_buffer.model.layers.0.self_attn.qkv_proj.weight");
    }

    @ParameterizedTest
    @ValueSource(strings = {"model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"})
    void fallsBackOnTheCheckpointBeforeADamagedOne(String file) throws IOException {
        tiny.train("whole");
        tiny.trainUntil(7, "run");
        damage(tiny.checkpoint("run", 7).resolve(file));
        List<TrainEvent> events = tiny.train("run");
        assertThat(TinyRun.only(TrainEvent.Started.class, events).getFirst().firstStep())
                .isEqualTo(6);
        tiny.assertSameBits("whole", "run", TinyRun.STEPS);
        assertThat(tiny.steps("run", "loss")).isEqualTo(tiny.steps("whole", "loss"));
        assertThat(tiny.run("run").resolve("checkpoints/quarantine-step-00000007"))
                .isDirectory();
    }

    @Test
    void namesTheFileIfNoCheckpointIsWhole() throws IOException {
        tiny.trainUntil(7, "run");
        for (long step : tiny.checkpoints("run")) {
            damage(tiny.checkpoint("run", step).resolve("model.safetensors"));
        }
        QuernException e = failure("run");
        assertThat(e.exitCode()).isEqualTo(ExitCode.DATA);
        assertThat(e)
                .hasMessageContaining(tiny.run("run").resolve("checkpoints") + ": no checkpoint is whole")
                .hasMessageContaining(tiny.checkpoint("run", 7).resolve("model.safetensors") + ": expected checksum ");
    }

    private static void damage(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        bytes[file.toString().endsWith("safetensors") ? bytes.length / 2 : 0] ^= 1;
        Files.write(file, bytes);
    }

    @Test
    void stopsWhenTheLossIsNoNumber() throws IOException {
        tiny.trainUntil(4, "run");
        byte[] weights = Files.readAllBytes(tiny.checkpoint("run", 4).resolve("model.safetensors"));
        // A learning rate of 1e30 blows the weights up in step 5; step 6 sees it.
        QuernException e = failure("run", "optimizer.lr=1e30");
        assertThat(e.exitCode()).isEqualTo(ExitCode.DO_NOT_RESTART);
        assertThat(e)
                .hasMessageStartingWith("step 6: the loss and the norm of its gradient must be finite: got ")
                .hasMessageContaining("The last good checkpoint is " + tiny.checkpoint("run", 4))
                .hasMessageContaining("train.bin token ");
        assertThat(tiny.checkpoint("run", 4).resolve("model.safetensors")).hasBinaryContent(weights);
        assertThat(tiny.checkpoints("run")).containsExactly(3L, 4L);
        tiny.train("run");
        tiny.train("whole");
        tiny.assertSameBits("whole", "run", TinyRun.STEPS);
    }

    @Test
    void callsNoCheckpointGoodThatGivesSuchALoss() {
        String[] fast = {"optimizer.lr=1e30", "schedule={name: constant}", "checkpoint.every=1"};
        for (int start = 0; start < 2; start++) {
            assertThat(failure("run", fast))
                    .hasMessageStartingWith("step 2: the loss and the norm of its gradient must be finite: got ")
                    .hasMessageContaining("There is no good checkpoint. That of step 1 has these weights");
        }
    }

    /// A changed seed would also change which documents are held out.
    @Test
    void leavesPreparedDataAloneWhenItRefusesASeed() throws IOException {
        String[] text = tiny.text();
        tiny.trainUntil(3, "run", text);
        Path manifest = tiny.run("run").resolve("data/train/manifest.json");
        byte[] before = Files.readAllBytes(manifest);
        assertThat(failure(
                        "run",
                        Stream.concat(Stream.of(text), Stream.of("run.seed=4")).toArray(String[]::new)))
                .hasMessageStartingWith("run.seed must stay what it was");
        assertThat(manifest).hasBinaryContent(before);
    }

    @Test
    void goesOnWhenACheckpointCannotBeWritten() {
        tiny.train("whole");
        Path obstacle =
                tiny.checkpoint("run", 0).resolveSibling(".tmp-obstacle").resolve("folder");
        List<TrainEvent> events = new ArrayList<>();
        tiny.train(
                event -> {
                    events.add(event);
                    try {
                        if (event instanceof TrainEvent.CheckpointSaved saved && saved.step() == 3) {
                            Files.createDirectories(obstacle.resolve("inner"));
                        } else if (event instanceof TrainEvent.CheckpointFailed) {
                            Files.delete(obstacle.resolve("inner"));
                            Files.delete(obstacle);
                        }
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                "run");
        assertThat(TinyRun.only(TrainEvent.CheckpointFailed.class, events))
                .singleElement()
                .satisfies(failed -> {
                    assertThat(failed.step()).isEqualTo(6);
                    assertThat(failed.reason())
                            .contains(tiny.checkpoint("run", 6).toString());
                });
        assertThat(tiny.checkpoints("run")).containsExactly(3L, 9L, 12L);
        tiny.assertSameBits("whole", "run", 3);
        tiny.assertSameBits("whole", "run", TinyRun.STEPS);
    }

    private QuernException failure(String run, String... overrides) {
        return catchThrowableOfType(QuernException.class, () -> tiny.train(run, overrides));
    }
}
