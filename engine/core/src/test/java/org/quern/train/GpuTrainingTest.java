package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Whole runs on the emulated GPU beside the same runs on the CPU.
class GpuTrainingTest {
    private static final String SHAPE =
            "hidden_size: 64, intermediate_size: 96, num_hidden_layers: 2, num_attention_heads: 4, ";
    private static final String LLAMA = "model={architecture: llama, " + SHAPE + "num_key_value_heads: 2}";
    private static final String GPT2 = "model={architecture: gpt2, " + SHAPE + "num_key_value_heads: 4}";

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {LLAMA, GPT2})
    void lossesAreThoseOfTheCpu(String model) {
        TinyRun tiny = new TinyRun(folder);
        String[] overrides = {model, "train.steps=20", "optimizer.lr=3e-3", "evaluate.every=10"};
        List<Double> cpu = losses(tiny.train("cpu", overrides));
        List<Double> gpu = losses(tiny.train("gpu", with(overrides, "run.device=emulated")));
        assertThat(gpu).hasSize(20);
        for (int i = 0; i < cpu.size(); i++) {
            assertThat(gpu.get(i)).as("step " + i).isCloseTo(cpu.get(i), within(0.01 * cpu.get(i)));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"float32", "bfloat16"})
    void goesOnFromACheckpointWithTheSameBits(String moments) {
        TinyRun tiny = new TinyRun(folder);
        String[] overrides = {
            GPT2,
            "run.device=emulated",
            "train.steps=4",
            "schedule.warmup_steps=1",
            "checkpoint.every=2",
            "optimizer={lr: 1e-2, moments: %s}".formatted(moments)
        };
        tiny.train("whole", overrides);
        tiny.trainUntil(2, "parts", overrides);
        tiny.train("parts", overrides);
        tiny.assertSameBits("whole", "parts", 4);
    }

    private static String[] with(String[] overrides, String... more) {
        return Stream.concat(Stream.of(overrides), Stream.of(more)).toArray(String[]::new);
    }

    private static List<Double> losses(List<TrainEvent> events) {
        return TinyRun.only(TrainEvent.Step.class, events).stream()
                .map(TrainEvent.Step::loss)
                .toList();
    }
}
