package org.quern.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.executor.CpuExecutor;
import org.quern.executor.Program;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.MemoryPlan;
import org.quern.graph.Node;
import org.quern.graph.Op;
import org.quern.graph.Recompute;
import org.quern.graph.Schedule;
import org.quern.graph.Value;
import org.quern.model.ModelConfig.Activation;
import org.quern.model.ModelConfig.Architecture;

/// What the backward pass computes again: the same bits in less memory.
class RecomputationTest {
    private static final int BATCH = 2;
    private static final int LENGTH = 9;

    static Stream<ModelConfig> models() {
        return Stream.of(Architecture.values())
                .flatMap(architecture -> Stream.of(true, false).map(tied -> config(architecture, 2, tied)));
    }

    @ParameterizedTest
    @MethodSource("models")
    void changesNoBit(ModelConfig config) {
        Model model = Model.of(config);
        for (Recompute recompute : List.of(Recompute.ACTIVATIONS, Recompute.BLOCK)) {
            try (CpuExecutor expected = new CpuExecutor(1);
                    CpuExecutor actual = new CpuExecutor(2)) {
                train(expected, model, Recompute.NONE);
                train(actual, model, recompute);
                for (String state : expected.tensors().names()) {
                    assertThat(actual.tensors()
                                    .host(state)
                                    .mismatch(expected.tensors().host(state)))
                            .as("%s of %s", state, recompute)
                            .isEqualTo(-1);
                }
            }
        }
    }

    /// The gradient of two batches.
    private static void train(CpuExecutor executor, Model model, Recompute recompute) {
        List<Program> programs = Stream.of(false, true)
                .map(accumulate -> executor.prepare(ModelGraphs.training(model, BATCH, LENGTH, accumulate, recompute)))
                .toList();
        Random random = new Random(5);
        for (Parameter parameter : model.parameters()) {
            MemorySegment memory = executor.tensors().host(parameter.name());
            for (long i = 0; i < parameter.shape().size(); i++) {
                memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
            }
        }
        executor.tensors().host(ModelGraphs.LOSS_SCALE).set(ValueLayout.JAVA_FLOAT, 0, 0.25f);
        for (Program program : programs) {
            for (int i = 0; i < BATCH * LENGTH; i++) {
                set(
                        executor,
                        ModelGraphs.TOKENS,
                        i,
                        random.nextInt(model.config().vocabSize()));
                set(
                        executor,
                        ModelGraphs.TARGETS,
                        i,
                        random.nextInt(-1, model.config().vocabSize()));
                set(executor, ModelGraphs.POSITIONS, i, i % LENGTH);
                set(executor, ModelGraphs.DOCUMENT_START, i, i % LENGTH / 4 * 4);
            }
            program.run();
        }
    }

    private static void set(CpuExecutor executor, String state, int index, int value) {
        executor.tensors().host(state).setAtIndex(ValueLayout.JAVA_INT, index, value);
    }

    /// What each further layer keeps, in columns. Without recomputation: the outputs of two norms, fused qkv,
    /// the attention's output, the residual stream after it and after the layer, the feed-forward layer before
    /// and after its activation, and the statistics of norms and attention.
    @ParameterizedTest
    @CsvSource({
        // norms, statistics, qkv, attention, residuals, log-sum-exp, up, activation
        "GPT2, NONE, 2 * 24 + 2 * 2 + 3 * 24 + 24 + 2 * 24 + 3 + 80 + 80",
        "GPT2, ACTIVATIONS, 3 * 24 + 24 + 2 * 24 + 3 + 80",
        "GPT2, BLOCK, 24",
        "LLAMA, NONE, 2 * 24 + 2 * 1 + 40 + 24 + 2 * 24 + 3 + 160 + 80",
        "LLAMA, ACTIVATIONS, 40 + 24 + 2 * 24 + 3 + 160",
        "LLAMA, BLOCK, 24"
    })
    void keepsWhatTheFormulaSays(Architecture architecture, Recompute recompute, String columns) {
        // Rows that make every tensor a multiple of the alignment.
        int rows = 64;
        long less = arena(config(architecture, 5, true), rows, recompute);
        long more = arena(config(architecture, 6, true), rows, recompute);
        assertThat(more - less).isEqualTo(4L * rows * sum(columns));
    }

    private static int sum(String terms) {
        return Stream.of(terms.split(" \\+ "))
                .mapToInt(term -> Stream.of(term.split(" \\* "))
                        .mapToInt(Integer::parseInt)
                        .reduce(1, (a, b) -> a * b))
                .sum();
    }

    private static long arena(ModelConfig config, int rows, Recompute recompute) {
        return MemoryPlan.of(Schedule.of(ModelGraphs.training(Model.of(config), 1, rows, false, recompute)))
                .bytes();
    }

    /// Norms and activations run again with their layers; in a block, everything but what gives the layer's
    /// output.
    @ParameterizedTest
    @EnumSource
    void runsAgainWhatItSays(Architecture architecture) {
        Model model = Model.of(config(architecture, 3, true));
        Graph none = ModelGraphs.training(model, BATCH, LENGTH, false);
        double activations = none.nodes().stream()
                .filter(node -> node.op().cheapToRecompute())
                .mapToDouble(node -> node.cost().flop())
                .sum();
        // The last norm is read by the backward pass alone: it is not run twice.
        double lastNorm = cost(none, architecture == Architecture.GPT2 ? "transformer.ln_f" : "model.norm.weight");
        assertThat(extra(model, none, Recompute.ACTIVATIONS)).isEqualTo(activations - lastNorm);

        double forward = ModelGraphs.evaluation(model, BATCH, LENGTH).nodes().stream()
                .filter(node -> !(node.op() instanceof Op.LinearCrossEntropy) && !(node.op() instanceof Op.Embedding))
                .mapToDouble(node -> node.cost().flop())
                .sum();
        double ends = 0;
        for (int layer = 0; layer < 3; layer++) {
            ends += architecture == Architecture.GPT2
                    ? cost(none, "transformer.h." + layer + ".mlp.c_proj")
                            + cost(none, "transformer.h." + layer + ".mlp.c_proj.biased")
                            + cost(none, "transformer.h." + layer + ".y")
                    : cost(none, "model.layers." + layer + ".mlp.down_proj.weight")
                            + cost(none, "model.layers." + layer + ".y");
        }
        double embeddings = architecture == Architecture.GPT2 ? cost(none, "x") : 0;
        assertThat(extra(model, none, Recompute.BLOCK)).isEqualTo(forward - ends - lastNorm - embeddings);
    }

    /// The formula is three times what products and attention of the forward pass take.
    @ParameterizedTest
    @MethodSource("models")
    void theModelsFormulaCountsProductsAndAttention(ModelConfig config) {
        Model model = Model.of(config);
        double flop = 0;
        for (Node node : ModelGraphs.evaluation(model, BATCH, LENGTH).nodes()) {
            flop += switch (node.op()) {
                case Op.MatMul _, Op.Attention _ -> node.cost().flop();
                case Op.LinearCrossEntropy _ ->
                    2.0 * BATCH * LENGTH * node.input(1).shape().size();
                default -> 0;
            };
        }
        assertThat(model.flopPerToken(LENGTH)).isCloseTo(3 * flop / (BATCH * LENGTH), within(1e-6));
    }

    private static double extra(Model model, Graph none, Recompute recompute) {
        return ModelGraphs.training(model, BATCH, LENGTH, false, recompute)
                        .cost()
                        .flop()
                - none.cost().flop();
    }

    private static double cost(Graph graph, String output) {
        return graph.nodes().stream()
                .filter(node -> !node.output(0).state() && node.output(0).name().equals(output))
                .mapToDouble(node -> node.cost().flop())
                .sum();
    }

    @Test
    void isTheSameEveryTime() {
        Model model = Model.of(config(Architecture.LLAMA, 2, false));
        List<Node> once =
                ModelGraphs.training(model, 1, 5, true, Recompute.BLOCK).nodes();
        assertThat(ModelGraphs.training(model, 1, 5, true, Recompute.BLOCK).nodes())
                .isEqualTo(once);
        assertThat(once.stream().flatMap(node -> node.inputs().stream()).filter(value -> value.type() == DType.F32))
                .extracting(Value::name)
                .contains("model.layers.0.mlp.act again");
    }

    private static ModelConfig config(Architecture architecture, int layers, boolean tied) {
        boolean llama = architecture == Architecture.LLAMA;
        return new ModelConfig(
                architecture,
                19,
                24,
                80,
                layers,
                3,
                llama ? 1 : 3,
                8,
                64,
                llama ? Activation.SILU : Activation.GELU_TANH,
                1e-5,
                10000,
                Optional.empty(),
                0,
                tied,
                0.02);
    }
}
