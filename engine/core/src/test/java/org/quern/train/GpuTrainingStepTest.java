package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.config.RunConfig;
import org.quern.data.Batches;
import org.quern.data.SampleOrder;
import org.quern.data.TokenShards;
import org.quern.data.TokenizedCorpus;
import org.quern.executor.GpuExecutor;
import org.quern.gpu.EmulatedGpu;
import org.quern.graph.Recompute;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.model.Initialization;
import org.quern.model.Model;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Options.Copies;

/// Steps on a GPU that does its work when somebody waits for it, or at any time before.
class GpuTrainingStepTest {
    private static final int MICRO_BATCHES = 3;
    private static final int LENGTH = 13;

    @TempDir
    Path folder;

    private RunConfig config;
    private Model model;
    private Batches batches;

    @BeforeEach
    void prepare() {
        config = new TinyRun(folder)
                .config("model={architecture: gpt2, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2}");
        model = Model.of(config.modelConfig(61));
        TokenShards shards = TokenizedCorpus.openLlmc(List.of(folder.resolve("train.bin")), List.of(), 61, 0)
                .train();
        batches = new Batches(shards, SampleOrder.shuffled(Batches.samples(shards, LENGTH), 3), LENGTH, true);
    }

    /// A host that forgets to wait would overwrite micro-batches, or read losses that are not there.
    @ParameterizedTest
    @ValueSource(strings = {"LAZY", "RANDOM"})
    void losesNothingWhateverTheDeviceIsAt(Copies copies) {
        assertThat(losses(copies)).hasSize(4).isEqualTo(losses(Copies.EAGER));
    }

    private List<Double> losses(Copies copies) {
        List<Double> losses = new ArrayList<>();
        EmulatedGpu gpu = new EmulatedGpu(Options.DEFAULT.withCopies(copies));
        try (GpuExecutor executor = new GpuExecutor(gpu, LoadedKernels.asText(gpu))) {
            TrainingStep step = step(executor);
            for (long s = 0; s < 2; s++) {
                step.gradient(batches, MICRO_BATCHES * s);
                losses.add(step.gradNorm());
                losses.add(step.loss());
                step.update(s, 1);
            }
        }
        return losses;
    }

    /// The last of three micro-batches is on its way to the device when the device must be done with the first.
    @Test
    void waitsForTheMicroBatchBeforeTheLast() {
        AtomicLong launches = new AtomicLong();
        EmulatedGpu gpu = new EmulatedGpu(Options.DEFAULT.withCopies(Copies.LAZY));
        gpu.observe(_ -> launches.incrementAndGet());
        try (GpuExecutor executor = new GpuExecutor(gpu, LoadedKernels.asText(gpu))) {
            TrainingStep step = step(executor);
            // The first runs wait for each operation.
            step.gradient(batches, 0);
            step.gradNorm();
            gpu.synchronize();
            launches.set(0);
            step.forwardAndBackward().run();
            gpu.synchronize();
            long ofMicroBatch = launches.getAndSet(0);
            step.gradient(batches, 0);
            assertThat(launches).hasValueLessThanOrEqualTo(ofMicroBatch);
            step.gradNorm();
            assertThat(launches).hasValueGreaterThanOrEqualTo(MICRO_BATCHES * ofMicroBatch);
        }
    }

    private TrainingStep step(GpuExecutor executor) {
        TrainingStep step = new TrainingStep(
                executor,
                model,
                config.optimizerSettings(),
                Sharing.whole(1, MICRO_BATCHES),
                LENGTH,
                Recompute.NONE,
                Workers.alone());
        for (int i = 0; i < model.parameters().size(); i++) {
            String name = model.parameters().get(i).name();
            Initialization.fill(model.parameters(), i, 3, executor.tensors().host(name));
            executor.tensors().push(name);
        }
        return step;
    }
}
