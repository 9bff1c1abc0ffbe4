package org.quern.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.model.Model;
import org.quern.model.ModelConfig;
import org.quern.model.ModelConfig.Activation;
import org.quern.model.ModelConfig.Architecture;
import org.quern.model.ModelGraphs;

class MemoryPlanTest {

    /// Plays a plan: every byte remembers which tensor was written there last, and a tensor that is read must
    /// still be in all of its bytes. An operation in place reads before it writes.
    @ParameterizedTest
    @EnumSource
    void keepsEveryTensorUntilItsLastReader(Architecture architecture) {
        Model model = Model.of(config(architecture));
        assertKeepsTensors(ModelGraphs.decoding(model, 2, 3, 8));
        assertKeepsTensors(MixedPrecision.lower(ModelGraphs.evaluation(model, 2, 5)));
        for (Recompute recompute : Recompute.values()) {
            assertKeepsTensors(ModelGraphs.training(model, 2, 5, true, recompute));
        }
    }

    private static void assertKeepsTensors(Graph graph) {
        Schedule schedule = Schedule.of(graph);
        MemoryPlan plan = MemoryPlan.of(schedule);
        Map<Long, Value> memory = new HashMap<>();
        for (Node node : schedule.nodes()) {
            node.inputs().forEach(value -> assertHeld(memory, plan, value));
            for (Node.Output output : node.outputs()) {
                if (output.accumulate()) {
                    assertHeld(memory, plan, output.value());
                }
            }
            for (Node.Output output : node.outputs()) {
                if (!output.value().state()) {
                    long offset = plan.offsets().get(output.value());
                    assertThat(offset % MemoryPlan.ALIGNMENT).isZero();
                    assertThat(offset + output.value().bytes()).isLessThanOrEqualTo(plan.bytes());
                    for (long at = offset; at < offset + output.value().bytes(); at += 2) {
                        memory.put(at, output.value());
                    }
                }
            }
            // What a node writes must not destroy what it writes beside it.
            node.outputs().forEach(output -> assertHeld(memory, plan, output.value()));
        }
    }

    @Test
    void needsLessThanAllTensorsTogether() {
        Schedule schedule = Schedule.of(ModelGraphs.evaluation(Model.of(config(Architecture.LLAMA)), 2, 5));
        long sum = schedule.nodes().stream()
                .flatMap(node -> node.outputs().stream())
                .mapToLong(output -> output.value().bytes())
                .sum();
        assertThat(MemoryPlan.of(schedule).bytes()).isLessThan(sum / 3);
    }

    @Test
    void refusesToReadWhatWasNeverWritten() {
        Graph graph = new Graph();
        Value x = graph.transientValue("x", Shape.of(2, 3));
        graph.redirect(graph.add("y", new Op.Add(), x, x), graph.state("result", Shape.of(2, 3), DType.F32));
        assertThatThrownBy(() -> Schedule.of(graph))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("reads x [2, 3] before it is written");
    }

    @Test
    void leavesOutWhatNobodyReads() {
        Graph graph = new Graph();
        Value x = graph.state("x", Shape.of(2, 3), DType.F32);
        graph.add("unused", new Op.Add(), x, x);
        graph.redirect(
                graph.add("y", new Op.Activation(Op.Function.GELU_TANH), x),
                graph.state("result", Shape.of(2, 3), DType.F32));
        assertThat(Schedule.of(graph).nodes())
                .extracting(Node::op)
                .isEqualTo(List.of(new Op.Activation(Op.Function.GELU_TANH)));
    }

    private static void assertHeld(Map<Long, Value> memory, MemoryPlan plan, Value value) {
        if (!value.state()) {
            long offset = plan.offsets().get(value);
            for (long at = offset; at < offset + value.bytes(); at += 2) {
                assertThat(memory.get(at)).as("at %d", at).isEqualTo(value);
            }
        }
    }

    private static ModelConfig config(Architecture architecture) {
        boolean llama = architecture == Architecture.LLAMA;
        return new ModelConfig(
                architecture,
                19,
                12,
                20,
                2,
                3,
                llama ? 1 : 3,
                4,
                16,
                llama ? Activation.SILU : Activation.GELU_TANH,
                1e-5,
                10000,
                java.util.Optional.empty(),
                0,
                !llama,
                0.02);
    }
}
