package org.quern.executor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.graph.Graph;
import org.quern.graph.Value;

/// The derived gradients against finite differences, both in double precision.
class GradientsTest {
    private static final double STEP = 1e-5;

    static List<OpCases.Case> cases() {
        return OpCases.all();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void equalFiniteDifferences(OpCases.Case op) {
        Graph graph = op.graph(false);
        ReferenceExecutor reference = filled(op, graph);
        reference.run(graph);
        for (Value parameter : OpCases.Case.parameters(graph)) {
            double[] gradient = reference.state("gradient." + parameter.name()).clone();
            for (int i = 0; i < gradient.length; i++) {
                double difference =
                        (loss(op, graph, parameter, i, STEP) - loss(op, graph, parameter, i, -STEP)) / (2 * STEP);
                assertThat(gradient[i])
                        .as("gradient of %s[%d]", parameter.name(), i)
                        .isCloseTo(difference, within(1e-7 * Math.max(1, Math.abs(difference))));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void addUpOverBatchesWhenAskedTo(OpCases.Case op) {
        Graph replacing = op.graph(false);
        ReferenceExecutor once = filled(op, replacing);
        once.run(replacing);
        once.run(replacing);
        Graph accumulating = op.graph(true);
        ReferenceExecutor twice = filled(op, accumulating);
        twice.run(accumulating);
        twice.run(accumulating);
        for (Value parameter : OpCases.Case.parameters(replacing)) {
            double[] single = once.state("gradient." + parameter.name());
            assertThat(twice.state("gradient." + parameter.name()))
                    .containsExactly(Arrays.stream(single).map(v -> 2 * v).toArray(), within(1e-12));
        }
    }

    private static double loss(OpCases.Case op, Graph graph, Value parameter, int index, double change) {
        ReferenceExecutor reference = filled(op, graph);
        reference.state(parameter)[index] += change;
        reference.run(graph);
        double[] output = reference.state("output");
        double[] seed = reference.state("seed");
        double loss = 0;
        for (int i = 0; i < output.length; i++) {
            loss += output[i] * seed[seed.length == 1 ? 0 : i];
        }
        return loss;
    }

    static ReferenceExecutor filled(OpCases.Case op, Graph graph) {
        ReferenceExecutor reference = new ReferenceExecutor();
        for (Value state : graph.states().values()) {
            if (!state.name().startsWith("gradient.") && !state.name().equals("output")) {
                System.arraycopy(op.values(state, 1), 0, reference.state(state), 0, reference.state(state).length);
            }
        }
        return reference;
    }
}
