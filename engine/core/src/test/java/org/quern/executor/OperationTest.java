package org.quern.executor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.quern.graph.Cost;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Op;
import org.quern.graph.Shape;
import org.quern.graph.Value;

class OperationTest {
    private final Graph graph = new Graph();
    private final Value a = graph.state("a", Shape.of(3, 5), DType.F32);
    private final Value b = graph.state("b", Shape.of(5, 7), DType.F32);
    private final Value bias = graph.state("bias", Shape.of(7), DType.F32);
    private final Value product = graph.add("product", new Op.MatMul(false, false), a, b);
    private final Value sum = graph.add("sum", new Op.AddBias(), product, bias);

    @Test
    void doesNotCountWhatStaysInRegisters() {
        Operation operation =
                Operation.of(graph.nodes(), Set.of(), node -> node.cost().bytes());
        assertThat(operation.kind()).isEqualTo("MatMul + AddBias");
        assertThat(operation.result()).isEqualTo(sum);
        assertThat(operation.cost()).isEqualTo(new Cost(2 * 3 * 5 * 7 + 3 * 7, 4 * (3 * 5 + 5 * 7 + 7 + 3 * 7)));
    }

    /// A pre-activation that the backward pass wants: written, and not read again.
    @Test
    void countsWhatIsStoredOnTheWay() {
        graph.add("gelu", new Op.Activation(Op.Function.GELU_TANH), sum);
        Operation operation = Operation.of(
                List.copyOf(graph.nodes()), Set.of(sum), node -> node.cost().bytes());
        assertThat(operation.cost().bytes()).isEqualTo(4 * (3 * 5 + 5 * 7 + 7 + 2 * 3 * 7));
    }
}
