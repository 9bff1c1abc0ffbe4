package org.quern.graph;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.model.Model;
import org.quern.model.ModelConfig;
import org.quern.model.ModelConfig.Activation;
import org.quern.model.ModelConfig.Architecture;
import org.quern.model.ModelGraphs;
import org.quern.model.Parameter;

class MixedPrecisionTest {
    private static Model model(Architecture architecture) {
        Activation activation = architecture == Architecture.GPT2 ? Activation.GELU_TANH : Activation.SILU;
        return Model.of(new ModelConfig(
                architecture, 64, 32, 48, 2, 2, 2, 16, 16, activation, 1e-5, 10000, Optional.empty(), 0, true, 0.02));
    }

    @ParameterizedTest
    @EnumSource
    void activationsAreBf16AndStatesKeepTheirTypes(Architecture architecture) {
        Graph graph = ModelGraphs.training(model(architecture), 2, 8, false);
        Graph lowered = MixedPrecision.lower(graph);
        assertThat(lowered.states().values())
                .extracting(Value::name, Value::type)
                .containsExactlyElementsOf(graph.states().values().stream()
                        .map(state -> org.assertj.core.groups.Tuple.tuple(state.name(), state.type()))
                        .toList());
        Map<DType, List<Value>> transients =
                lowered.values().stream().filter(value -> !value.state()).collect(Collectors.groupingBy(Value::type));
        assertThat(transients.get(DType.BF16)).allMatch(value -> value.shape().rank() == 2);
        // Statistics and log-sum-exp.
        assertThat(transients.get(DType.F32)).allMatch(value -> value.name().matches(".*[.][12]"));
        assertThat(lowered.nodes()).noneMatch(node -> node.op() instanceof Op.Cast);
    }

    @ParameterizedTest
    @EnumSource
    void parametersHaveWorkingCopies(Architecture architecture) {
        Model model = model(architecture);
        Graph lowered = MixedPrecision.lower(ModelGraphs.training(model, 2, 8, false));
        assertThat(MixedPrecision.workingCopies(lowered))
                .extracting(Value::name)
                .containsExactlyInAnyOrderElementsOf(
                        model.parameters().stream().map(Parameter::name).toList());
    }

    /// 2^24 logits at once on the CPU, 2^27 on a GPU.
    @Test
    void chunksOfLogitsAreLarger() {
        Graph graph = new Graph();
        graph.redirect(
                graph.add(
                        "losses",
                        new Op.LinearCrossEntropy(256),
                        graph.state("hidden", Shape.of(4000, 8), DType.F32),
                        graph.state("weight", Shape.of(50304, 8), DType.F32),
                        graph.state("targets", Shape.of(4000), DType.I32)),
                graph.state("result", Shape.of(4000), DType.F32));
        Node lowered = MixedPrecision.lower(graph).nodes().getFirst();
        assertThat(lowered.op()).isEqualTo(new Op.LinearCrossEntropy(2560));
        assertThat(lowered.output(1).shape()).isEqualTo(Shape.of(2560, 50304));
        assertThat(lowered.output(1).type()).isEqualTo(DType.BF16);
    }

    @Test
    void cachesAreBf16() {
        Graph lowered = MixedPrecision.lower(ModelGraphs.decoding(model(Architecture.LLAMA), 1, 4, 8));
        assertThat(lowered.states().values().stream().filter(state -> ModelGraphs.isCache(state.name())))
                .hasSize(4)
                .allMatch(state -> state.type() == DType.BF16);
        assertThat(lowered.states().get(ModelGraphs.DECODE_LOGITS).type()).isEqualTo(DType.F32);
    }

    @Test
    void whatAnOperationCannotWriteIntoAStateIsCast() {
        Graph graph = new Graph();
        Value x = graph.state("x", Shape.of(4, 8), DType.F32);
        Value y = graph.state("y", Shape.of(4, 8), DType.F32);
        graph.addInto(new Op.Add(), List.of(x, x), List.of(new Node.Output(y, true)));
        assertThat(MixedPrecision.lower(graph).nodes())
                .extracting(Node::toString)
                .hasSize(2)
                .last()
                .asString()
                .contains("Cast");
    }
}
