package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.collective.Communicator;
import org.quern.executor.Executor;
import org.quern.executor.GpuExecutor;
import org.quern.gpu.EmulatedGpu;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Options.Copies;

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

    @Test
    void goesOnFromACheckpointWithTheSameBits() {
        TinyRun tiny = new TinyRun(folder);
        String[] overrides = {
            GPT2, "run.device=emulated", "train.steps=4", "schedule.warmup_steps=1", "checkpoint.every=2"
        };
        tiny.train("whole", overrides);
        tiny.trainUntil(2, "parts", overrides);
        tiny.train("parts", overrides);
        tiny.assertSameBits("whole", "parts", 4);
    }

    @Test
    void muonAgreesWithTheCpu() {
        TinyRun tiny = new TinyRun(folder);
        String[] overrides = {LLAMA, "train.steps=6", "optimizer={name: muon, lr: 3e-3, muon: {lr: 0.02}}"};
        List<Double> cpu = losses(tiny.train("cpu", overrides));
        List<Double> gpu = losses(tiny.train("gpu", with(overrides, "run.device=emulated")));
        for (int i = 0; i < cpu.size(); i++) {
            assertThat(gpu.get(i)).as("step " + i).isCloseTo(cpu.get(i), within(0.01 * cpu.get(i)));
        }
    }

    /// Gradients and weights go through the host, as between GPUs without NCCL.
    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void twoWorkersTrainTheWeightsOfOne(int zeroStage) throws Exception {
        DataParallelSteps steps =
                new DataParallelSteps(folder, LLAMA, "optimizer={name: muon, lr: 3e-3, muon: {lr: 0.02}}");
        Sharing sharing = new Sharing(2, 1, 1, zeroStage == 1, 4096);
        steps.assertSameWeights(2, sharing, () -> {
            EmulatedGpu gpu = new EmulatedGpu(Options.DEFAULT);
            return new GpuExecutor(gpu, LoadedKernels.asText(gpu));
        });
    }

    /// Buckets are summed on the device while the backward pass goes on: it must have been waited for as far as they
    /// need, whatever it is at.
    @ParameterizedTest
    @CsvSource({"0, EAGER", "1, LAZY", "0, RANDOM"})
    void sumsGradientsOnTheDevice(int zeroStage, Copies copies) throws Exception {
        DataParallelSteps steps = new DataParallelSteps(folder, GPT2);
        Sharing sharing = new Sharing(2, 1, 2, zeroStage == 1, 4096);
        steps.assertSameWeightsOn(2, sharing, () -> {
            EmulatedGpu gpu = new EmulatedGpu(Options.DEFAULT.withCopies(copies));
            GpuExecutor made = new GpuExecutor(gpu, LoadedKernels.asText(gpu));
            return new DataParallelSteps.Device() {
                @Override
                public Executor executor() {
                    return made;
                }

                @Override
                public Communicator gradients(Communicator host) {
                    return new DeviceGroup(host, gpu);
                }
            };
        });
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
