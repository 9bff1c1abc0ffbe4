package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.executor.GpuExecutor;
import org.quern.gpu.EmulatedGpu;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.ptx.emulator.Options;

/// Runs on a GPU that fails.
class FailingGpuTest {
    private static final String[] OVERRIDES = {
        "model={architecture: gpt2, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2}",
        "train={steps: 3, global_batch: 2, micro_batch: 2, sequence_length: 13}",
        "schedule.warmup_steps=1",
        "evaluate.every=100",
        "checkpoint.every=1"
    };

    /// An operation, its tensors and their shapes.
    private static final String OPERATION =
            "(?s)\\w+\\[.*\\(\\[.* \\[\\d.*\\]\\]\\) -> \\[.* \\[\\d.*\\]\\] failed: \\w+ was made to fail\n.*";

    @TempDir
    Path folder;

    private TinyRun tiny;
    private EmulatedGpu gpu = new EmulatedGpu();

    @BeforeEach
    void writeData() {
        tiny = new TinyRun(folder);
    }

    private void train(String run, TrainEvent.Listener listener) {
        tiny.train(() -> new GpuExecutor(gpu, LoadedKernels.asText(gpu)), listener, run, OVERRIDES);
    }

    private QuernException failure(TrainEvent.Listener listener) {
        QuernException e = catchThrowableOfType(QuernException.class, () -> train("run", listener));
        assertThat(e.exitCode()).isEqualTo(ExitCode.RETRYABLE);
        assertThat(e.getMessage().lines()).hasSizeLessThan(5);
        return e;
    }

    /// Lets the GPU fail in the step after `step`.
    private TrainEvent.Listener after(long step, Consumer<EmulatedGpu> fault) {
        return event -> {
            if (event instanceof TrainEvent.Step done && done.step() == step) {
                fault.accept(gpu);
            }
        };
    }

    private String goesOn() {
        return "The same command goes on from "
                + tiny.checkpoint("run", tiny.checkpoints("run").getLast());
    }

    @ParameterizedTest
    @ValueSource(strings = {"EAGER", "LAZY"})
    void namesTheOperationAndGoesOnFromTheLastCheckpoint(Options.Copies copies) {
        train("whole", _ -> {});
        gpu = new EmulatedGpu(Options.DEFAULT.withCopies(copies));
        QuernException e = failure(after(2, failing -> failing.failLaunch(5)));
        assertThat(e).hasMessageMatching(OPERATION).hasMessageContaining(goesOn());
        gpu = new EmulatedGpu();
        train("run", _ -> {});
        tiny.assertSameBits("whole", "run", 3);
    }

    @Test
    void theFirstRunNamesTheOperationToo() {
        gpu.failLaunch(100);
        assertThat(failure(_ -> {})).hasMessageMatching(OPERATION).hasMessageContaining("There is no checkpoint yet");
    }

    @Test
    void explainsALostDevice() {
        QuernException e = failure(after(2, failing -> failing.loseAtLaunch(1)));
        assertThat(e)
                .hasMessageContaining(" failed: the emulated GPU is lost\n")
                .hasMessageContaining(goesOn());
    }

    @Test
    void namesTheStateThatHasNoMemory() {
        gpu.failAllocation(7);
        assertThat(failure(_ -> {}))
                .hasMessageMatching(
                        "(?s)there is no memory for [\\w.]+ \\[\\d.*\\]: not enough memory on the emulated GPU"
                                + ": [\\d,]+ bytes asked for, [\\d,]+ free\n.*train.micro_batch.*");
    }
}
