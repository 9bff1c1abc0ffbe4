package org.quern.graph;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.quern.graph.EightBits.ParameterCopy;
import org.quern.graph.Op.Quantize.Copy;

class EightBitsTest {
    private static final Op.MatMul FORWARD = new Op.MatMul(false, true, Op.Role.FORWARD);

    private final Graph graph = new Graph();
    private final Value x = graph.transientValue("x", Shape.of(32, 48), DType.BF16);
    private final Value weights = graph.state("w", Shape.of(64, 48), DType.F32);
    private final Value gradient = graph.state("w.gradient", Shape.of(64, 48), DType.F32);

    private static Shape padded(int rows, int columns) {
        return Shape.of(rows + 1, columns);
    }

    private Value add(Op op, Value... inputs) {
        Shape shape = op.outputShapes(List.of(inputs).stream().map(Value::shape).toList())
                .getFirst();
        Value out = graph.transientValue("out", shape, DType.BF16);
        graph.addInto(op, List.of(inputs), List.of(new Node.Output(out, false)));
        return out;
    }

    private List<Node> lowered() {
        return EightBits.lower(graph, EightBitsTest::padded).nodes();
    }

    private static List<Node> quantizing(List<Node> nodes) {
        return nodes.stream().filter(node -> node.op() instanceof Op.Quantize).toList();
    }

    @Test
    void aLayerHasEachTensorMadeOnceInTheCopiesThatItNeeds() {
        Value y = add(FORWARD, x, weights);
        Value dy = add(new Op.Activation(Op.Function.GELU_TANH), y);
        add(new Op.MatMul(false, false, Op.Role.GRADIENT_A), dy, weights);
        graph.addInto(
                new Op.MatMul(true, false, Op.Role.GRADIENT_A),
                List.of(dy, x),
                List.of(new Node.Output(gradient, true)));
        List<Node> nodes = lowered();
        assertThat(nodes)
                .extracting(node -> node.op().getClass().getSimpleName())
                .containsExactly(
                        "Quantize", "QuantizedMatMul", "Activation", "Quantize", "QuantizedMatMul", "QuantizedMatMul");
        Node ofX = nodes.get(0);
        Node ofDy = nodes.get(3);
        assertThat(ofX.op())
                .isEqualTo(new Op.Quantize(
                        DType.E4M3, List.of(new Copy(false, Shape.of(33, 48)), new Copy(true, Shape.of(49, 32)))));
        assertThat(ofDy.op())
                .isEqualTo(new Op.Quantize(
                        DType.E5M2, List.of(new Copy(false, Shape.of(33, 64)), new Copy(true, Shape.of(65, 32)))));
        assertThat(nodes.get(1).inputs()).containsExactly(ofX.output(0), weights);
        assertThat(nodes.get(4).inputs()).containsExactly(ofDy.output(0), weights);
        assertThat(nodes.get(5).inputs()).containsExactly(ofDy.output(1), ofX.output(1));
        assertThat(nodes.get(5).op()).isInstanceOfSatisfying(Op.QuantizedMatMul.class, op -> {
            assertThat(op.m()).isEqualTo(64);
            assertThat(op.n()).isEqualTo(48);
            assertThat(op.k()).isEqualTo(32);
        });
        assertThat(nodes.get(5).accumulates(0)).isTrue();
        assertThat(EightBits.parameterCopies(graph))
                .containsExactly(new ParameterCopy(weights, false), new ParameterCopy(weights, true));
    }

    @Test
    void aForwardPassNeedsNoTranspose() {
        add(FORWARD, x, weights);
        assertThat(quantizing(lowered()))
                .singleElement()
                .satisfies(node -> assertThat(node.outputs()).hasSize(1));
    }

    /// Otherwise a product would take what was there before.
    @Test
    void whatIsWrittenInBetweenIsMadeAnew() {
        add(FORWARD, x, weights);
        graph.addInto(new Op.Add(), List.of(x, x), List.of(new Node.Output(x, true)));
        add(FORWARD, x, weights);
        List<Node> nodes = lowered();
        assertThat(quantizing(nodes)).hasSize(2);
        assertThat(IntStream.range(0, nodes.size()).filter(i -> nodes.get(i).op() instanceof Op.Quantize))
                .containsExactly(0, 3);
    }

    @Test
    void otherProductsStay() {
        Op other = new Op.MatMul(false, true);
        add(other, x, weights);
        assertThat(lowered())
                .singleElement()
                .satisfies(node -> assertThat(node.op()).isEqualTo(other));
    }
}
