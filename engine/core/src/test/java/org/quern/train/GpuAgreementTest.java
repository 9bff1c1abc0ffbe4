package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.config.RunConfig;
import org.quern.data.Batches;
import org.quern.data.SampleOrder;
import org.quern.data.TokenShards;
import org.quern.data.TokenizedCorpus;
import org.quern.executor.CpuExecutor;
import org.quern.executor.Executor;
import org.quern.executor.GpuExecutor;
import org.quern.gpu.EmulatedGpu;
import org.quern.graph.Recompute;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.model.Initialization;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;
import org.quern.ptx.emulator.Options;

/// Training steps on the emulated GPU, in bf16 and with micro-batches and clipping, beside the CPU's in fp32.
class GpuAgreementTest {
    private static final int LENGTH = 13;
    private static final int MICRO_BATCH = 2;
    private static final int MICRO_BATCHES = 3;
    private static final int STEPS = 3;
    private static final int RECOMPUTED_STEPS = 2;
    private static final double CLIP = 0.5;

    /// How far the gradient of a parameter may be from the CPU's, as a share of its norm.
    ///
    /// It comes through some 60 roundings to 8 significant bits, 30 on the way forward and 30 on the way back.
    /// Each is off by 0.16 % in the mean, so that independent errors add up to sqrt(60) 0.16 % = 1.2 %. Sums over
    /// tokens have less, and more where much of them cancels.
    private static final double GRADIENT_BOUND = 0.02;

    /// How far a parameter may be from the CPU's after some steps, as a share of how far it went.
    ///
    /// AdamW at first moves elements by the sign of their gradient, and Muon moves all directions of a matrix
    /// equally far: those whose gradient is below its error go anywhere. With an error of 1 % these are about 1 %
    /// of all, and each may be off by twice its way: 2 sqrt(1 %) = 20 %.
    private static final double CHANGE_BOUND = 0.2;

    @TempDir
    Path folder;

    private Batches batches;

    /// The runs: both architectures, one with grouped heads, each with an optimiser.
    enum Case {
        GPT2("gpt2", 4, "{name: adamw, lr: 1e-3}"),
        LLAMA("llama", 2, "{name: muon, lr: 1e-3, muon: {lr: 0.01}}");

        final String[] overrides;

        Case(String architecture, int keyValueHeads, String optimizer) {
            overrides = new String[] {
                "model={architecture: %s, hidden_size: 64, intermediate_size: 96, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: %d}"
                        .formatted(architecture, keyValueHeads),
                "optimizer=" + optimizer,
                "train.clip_grad_norm=" + CLIP
            };
        }
    }

    @BeforeEach
    void prepare() {
        new TinyRun(folder);
        TokenShards shards = TokenizedCorpus.openLlmc(List.of(folder.resolve("train.bin")), List.of(), 61, 0)
                .train();
        batches = new Batches(shards, SampleOrder.shuffled(Batches.samples(shards, LENGTH), 3), LENGTH, true);
    }

    /// A device that takes training steps.
    private final class Trained implements AutoCloseable {
        final Executor executor;
        final Model model;
        final TrainingStep step;

        Trained(Executor executor, Case tested, Recompute recompute) {
            this.executor = executor;
            RunConfig config = new TinyRun(folder).config(tested.overrides);
            model = Model.of(config.modelConfig(61));
            step = new TrainingStep(
                    executor,
                    model,
                    config.optimizerSettings(),
                    Sharing.whole(MICRO_BATCH, MICRO_BATCHES),
                    LENGTH,
                    recompute,
                    Workers.alone());
            for (int i = 0; i < model.parameters().size(); i++) {
                String name = model.parameters().get(i).name();
                Initialization.fill(model.parameters(), i, 3, executor.tensors().host(name));
                executor.tensors().push(name);
            }
        }

        void gradient(int index) {
            step.gradient(batches, (long) index * MICRO_BATCH * MICRO_BATCHES);
        }

        void update(int index) {
            assertThat(step.gradNorm()).as("norm, to be clipped").isGreaterThan(CLIP);
            step.update(index, 1);
        }

        MemorySegment read(String state) {
            executor.tensors().pull(state);
            return executor.tensors().host(state);
        }

        Map<String, MemorySegment> weights() {
            return states(name -> name);
        }

        Map<String, MemorySegment> gradients() {
            return states(ModelGraphs::gradient);
        }

        private Map<String, MemorySegment> states(UnaryOperator<String> stateOf) {
            Map<String, MemorySegment> states = new LinkedHashMap<>();
            model.parameters()
                    .forEach(parameter -> states.put(parameter.name(), read(stateOf.apply(parameter.name()))));
            return states;
        }

        @Override
        public void close() {
            step.close();
            executor.close();
        }
    }

    private Trained cpu(Case tested) {
        return new Trained(new CpuExecutor(1), tested, Recompute.NONE);
    }

    private Trained gpu(Case tested, Recompute recompute, Options options) {
        EmulatedGpu gpu = new EmulatedGpu(options);
        return new Trained(new GpuExecutor(gpu, LoadedKernels.asText(gpu)), tested, recompute);
    }

    @ParameterizedTest
    @EnumSource
    void stepsAgreeWithTheCpu(Case tested) {
        try (Trained cpu = cpu(tested);
                Trained gpu = gpu(tested, Recompute.NONE, Options.DEFAULT)) {
            Map<String, float[]> initial = copies(cpu.weights());
            for (int index = 0; index < STEPS; index++) {
                cpu.gradient(index);
                gpu.gradient(index);
                if (index == 0) {
                    assertClose(gpu.gradients(), cpu.gradients());
                }
                for (String state : ModelGraphs.BATCH) {
                    assertThat(gpu.read(state).mismatch(cpu.read(state)))
                            .as("the last micro-batch's %s", state)
                            .isEqualTo(-1);
                }
                cpu.update(index);
                gpu.update(index);
                assertThat(gpu.step.loss())
                        .as("loss of step %d", index)
                        .isCloseTo(cpu.step.loss(), withinPercentage(1));
            }
            Map<String, MemorySegment> actual = gpu.weights();
            cpu.weights().forEach((name, weights) -> {
                // Attention does not depend on the keys' bias: its gradient is nothing but rounding errors.
                if (!name.endsWith("c_attn.bias")) {
                    assertThat(distance(actual.get(name), weights, initial.get(name)))
                            .as(name)
                            .isLessThan(CHANGE_BOUND);
                }
            });
        }
    }

    @ParameterizedTest
    @EnumSource
    void bitsDoNotDependOnTheOrderOfBlocksAndWarps(Case tested) {
        Options other =
                Options.DEFAULT.withSeed(5).withBlocks(Options.Blocks.SHUFFLED).withSchedule(Options.Schedule.RANDOM);
        try (Trained one = gpu(tested, Recompute.NONE, Options.DEFAULT);
                Trained two = gpu(tested, Recompute.NONE, other)) {
            one.gradient(0);
            one.update(0);
            two.gradient(0);
            two.update(0);
            assertSameBits(two.gradients(), one.gradients());
            assertSameBits(two.weights(), one.weights());
        }
    }

    /// What is computed again has the bits that it had, also where one kernel did more than one operation at first.
    @ParameterizedTest
    @EnumSource
    void recomputationChangesNothing(Case tested) {
        try (Trained kept = gpu(tested, Recompute.NONE, Options.DEFAULT);
                Trained activations = gpu(tested, Recompute.ACTIVATIONS, Options.DEFAULT);
                Trained block = gpu(tested, Recompute.BLOCK, Options.DEFAULT)) {
            for (int index = 0; index < RECOMPUTED_STEPS; index++) {
                kept.gradient(index);
                kept.update(index);
                for (Trained again : List.of(activations, block)) {
                    again.gradient(index);
                    assertThat(again.step.loss()).isEqualTo(kept.step.loss());
                    assertSameBits(again.gradients(), kept.gradients());
                    again.update(index);
                    assertSameBits(again.weights(), kept.weights());
                }
            }
        }
    }

    private static void assertClose(Map<String, MemorySegment> actual, Map<String, MemorySegment> expected) {
        expected.forEach((name, values) ->
                assertThat(distance(actual.get(name), values, null)).as(name).isLessThan(GRADIENT_BOUND));
    }

    private static void assertSameBits(Map<String, MemorySegment> actual, Map<String, MemorySegment> expected) {
        expected.forEach((name, values) ->
                assertThat(actual.get(name).mismatch(values)).as(name).isEqualTo(-1));
    }

    private static Map<String, float[]> copies(Map<String, MemorySegment> states) {
        Map<String, float[]> copies = new LinkedHashMap<>();
        states.forEach((name, memory) -> copies.put(name, memory.toArray(ValueLayout.JAVA_FLOAT)));
        return copies;
    }

    /// The norm of the difference as a share of the expected one's distance from an origin.
    ///
    /// @param origin null for zero
    private static double distance(MemorySegment actual, MemorySegment expected, float[] origin) {
        double distance = 0;
        double norm = 0;
        for (int i = 0; i < expected.byteSize() / Float.BYTES; i++) {
            double value = expected.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            double difference = actual.getAtIndex(ValueLayout.JAVA_FLOAT, i) - value;
            double way = value - (origin == null ? 0 : origin[i]);
            distance += difference * difference;
            norm += way * way;
        }
        return Math.sqrt(distance / norm);
    }
}
