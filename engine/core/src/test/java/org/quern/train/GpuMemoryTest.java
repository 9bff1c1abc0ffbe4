package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.executor.Executor;
import org.quern.executor.GpuExecutor;
import org.quern.gpu.EmulatedGpu;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.model.Model;
import org.quern.ptx.emulator.Options;

/// The memory of runs on the emulated GPU: planned, and used.
class GpuMemoryTest {
    private static final String SHAPE =
            "hidden_size: 32, intermediate_size: 40, num_hidden_layers: 1, num_attention_heads: 2, ";
    private static final String LLAMA = "model={architecture: llama, " + SHAPE + "num_key_value_heads: 1}";
    private static final String GPT2 = "model={architecture: gpt2, " + SHAPE + "num_key_value_heads: 2}";
    private static final String MUON = "optimizer={name: muon, lr: 3e-3, muon: {lr: 0.02}}";

    @TempDir
    Path folder;

    private TinyRun tiny;

    @BeforeEach
    void writeData() {
        tiny = new TinyRun(folder);
    }

    private static Executor executor(EmulatedGpu gpu) {
        return new GpuExecutor(gpu, LoadedKernels.asText(gpu));
    }

    private static long used(EmulatedGpu gpu) {
        return gpu.properties().memoryBytes() - gpu.freeBytes();
    }

    /// Runs of all parts: training, evaluation, samples, checkpoints. From the first step on they use, to the
    /// byte, what was planned.
    @ParameterizedTest
    @ValueSource(
            strings = {
                GPT2 + "; samples",
                LLAMA + "; train.recompute=activations; samples",
                GPT2 + "; train.recompute=block; " + MUON,
                LLAMA + "; train.micro_batch=4; " + MUON,
                LLAMA + "; train.micro_batch=1; train.recompute=block",
                "model={architecture: llama, hidden_size: 48, num_hidden_layers: 2, num_attention_heads: 3,"
                        + " num_key_value_heads: 1, tie_word_embeddings: true}; train.recompute=none"
            })
    void usesWhatWasPlanned(String settings) {
        List<String> overrides = new ArrayList<>(List.of(
                "train={steps: 1, global_batch: 4, micro_batch: 2, sequence_length: 13}",
                "schedule.warmup_steps=1",
                "evaluate.sequences=2"));
        for (String setting : settings.split("; ")) {
            overrides.addAll(setting.equals("samples") ? List.of(tiny.text()) : List.of(setting));
            if (setting.equals("samples")) {
                overrides.add("sample={every: 1, prompts: [''], max_tokens: 2}");
            }
        }
        RunConfig config = tiny.config(overrides.toArray(String[]::new));
        Model model = Model.of(config.modelConfig(config.sample().isPresent() ? 270 : 61));
        EmulatedGpu gpu = new EmulatedGpu();
        List<Long> used = new ArrayList<>();
        tiny.train(
                () -> {
                    Executor executor = executor(gpu);
                    used.add(RunPlan.of(config, model, Device.of(executor, 1), 1, Optional.empty())
                            .memory()
                            .total());
                    return executor;
                },
                event -> {
                    if (!(event instanceof TrainEvent.Started)) {
                        used.add(used(gpu));
                    }
                },
                "run",
                overrides.toArray(String[]::new));
        assertThat(used).hasSizeGreaterThan(3).containsOnly(used.getFirst());
    }

    @Test
    void nothingIsAllocatedAfterTheFirstStep() {
        EmulatedGpu gpu = new EmulatedGpu();
        List<Long> allocations = new ArrayList<>();
        tiny.train(
                () -> executor(gpu),
                event -> {
                    if (event instanceof TrainEvent.Step) {
                        allocations.add(gpu.allocations());
                    }
                },
                "run",
                GPT2,
                "train={steps: 4, global_batch: 4, micro_batch: 2, sequence_length: 13}",
                "schedule.warmup_steps=1",
                "checkpoint.every=100",
                "evaluate.every=100");
        assertThat(allocations).hasSize(4).containsOnly(allocations.getFirst());
    }

    /// What the config leaves open follows from the device's memory.
    @Test
    void choosesForTheDevice() {
        String[] overrides = {LLAMA, "train={steps: 1, global_batch: 4, sequence_length: 13}", "schedule.warmup_steps=1"
        };
        long needed;
        try (Executor executor = executor(new EmulatedGpu())) {
            needed = plan(executor, LLAMA, "train.micro_batch=2", "train.recompute=none", "train.global_batch=4")
                    .memory()
                    .total();
        }
        EmulatedGpu small = new EmulatedGpu(Options.DEFAULT, needed * 100 / 95 + 1);
        List<TrainEvent> events = new ArrayList<>();
        tiny.train(() -> executor(small), events::add, "run", overrides);
        assertThat(TinyRun.only(TrainEvent.Started.class, events).getFirst().plan())
                .contains("micro-batch of 2 sequences", "working copies", "workspace");
    }

    @Test
    void namesWaysToFit() {
        EmulatedGpu small = new EmulatedGpu(Options.DEFAULT, 100_000);
        assertThatThrownBy(() -> tiny.train(() -> executor(small), _ -> {}, "run", LLAMA))
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA))
                .hasMessageContaining("a run must fit into 95 % of the memory of emulated sm_80, ")
                .hasMessageContaining("(try ");
    }

    private RunPlan plan(Executor executor, String... overrides) {
        RunConfig config = tiny.config(overrides);
        return RunPlan.of(config, Model.of(config.modelConfig(61)), Device.of(executor, 1), 1, Optional.empty());
    }
}
