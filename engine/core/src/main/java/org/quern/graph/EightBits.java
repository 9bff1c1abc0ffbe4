package org.quern.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;

/// Products of linear layers in floats of 8 bits: gradients of what layers give in e5m2, all else in e4m3
/// (Micikevicius et al., 2022).
///
/// Tensor cores multiply such floats along rows only, so that a tensor may be needed as it is, transposed, or both.
/// It is read once for both, before the first product that takes it, and products that take the same numbers share
/// what it became. Parameters are not the graph's business: executors keep copies of them.
public final class EightBits {
    private final Graph graph;
    private final Copies copies;
    private final Map<Value, Integer> writes = new HashMap<>();

    /// The shape of a copy of a matrix [rows, columns], scales included.
    @FunctionalInterface
    public interface Copies {
        Shape shape(int rows, int columns);
    }

    /// What a value holds between two writes, in a type.
    private record Content(Value value, int writes, DType type) {}

    /// A copy of a parameter that a graph needs.
    public record ParameterCopy(Value parameter, boolean transposed) {}

    private EightBits(Graph graph, Copies copies) {
        this.graph = graph;
        this.copies = copies;
    }

    /// The same graph with such products.
    ///
    /// @param lowered in the types of a GPU, which this changes
    public static Graph lower(Graph lowered, Copies copies) {
        new EightBits(lowered, copies).run();
        return lowered;
    }

    /// The copies of parameters that a graph's products read.
    public static List<ParameterCopy> parameterCopies(Graph lowered) {
        List<ParameterCopy> all = new ArrayList<>();
        for (Node node : lowered.nodes()) {
            if (node.op() instanceof Op.QuantizedMatMul op) {
                for (int i = 0; i < 2; i++) {
                    if (isParameter(node.input(i))) {
                        all.add(new ParameterCopy(node.input(i), isTransposed(op.product(), i)));
                    }
                }
            }
        }
        return all;
    }

    /// Whether a product takes an operand transposed, so that its rows are along what is summed.
    public static boolean isTransposed(Op.MatMul product, int operand) {
        return operand == 0 ? product.transposeA() : !product.transposeB();
    }

    private static boolean isParameter(Value value) {
        return value.state() && value.type() == DType.F32;
    }

    private static DType type(Op.MatMul product, int operand) {
        Op.Role ofGradient = operand == 0 ? Op.Role.GRADIENT_A : Op.Role.GRADIENT_B;
        return product.role() == ofGradient ? DType.E5M2 : DType.E4M3;
    }

    private void run() {
        List<Node> nodes = List.copyOf(graph.nodes());
        Map<Content, SortedSet<Boolean>> needed = new HashMap<>();
        for (Node node : nodes) {
            if (node.op() instanceof Op.MatMul product && product.role() != Op.Role.OTHER) {
                for (int i = 0; i < 2; i++) {
                    if (!isParameter(node.input(i))) {
                        needed.computeIfAbsent(content(node, product, i), _ -> new TreeSet<>())
                                .add(isTransposed(product, i));
                    }
                }
            }
            countWrites(node);
        }
        writes.clear();
        graph.replaceNodes(List.of());
        Map<Content, Map<Boolean, Value>> made = new HashMap<>();
        for (Node node : nodes) {
            if (node.op() instanceof Op.MatMul product && product.role() != Op.Role.OTHER) {
                List<Value> inputs = new ArrayList<>();
                for (int i = 0; i < 2; i++) {
                    Value input = node.input(i);
                    if (!isParameter(input)) {
                        Content content = content(node, product, i);
                        if (!made.containsKey(content)) {
                            made.put(content, quantize(content, List.copyOf(needed.get(content))));
                        }
                        input = made.get(content).get(isTransposed(product, i));
                    }
                    inputs.add(input);
                }
                Shape out = node.output(0).shape();
                int inner = product.transposeA()
                        ? node.input(0).shape().rows()
                        : node.input(0).shape().columns();
                graph.addInto(
                        new Op.QuantizedMatMul(product, out.rows(), out.columns(), inner), inputs, node.outputs());
            } else {
                graph.addInto(node.op(), node.inputs(), node.outputs());
            }
            countWrites(node);
        }
    }

    private Content content(Node node, Op.MatMul product, int operand) {
        Value value = node.input(operand);
        return new Content(value, writes.getOrDefault(value, 0), type(product, operand));
    }

    private void countWrites(Node node) {
        node.outputs().forEach(output -> writes.merge(output.value(), 1, Integer::sum));
    }

    /// @param transposed of each copy
    private Map<Boolean, Value> quantize(Content content, List<Boolean> transposed) {
        Shape shape = content.value.shape();
        List<Op.Quantize.Copy> all = transposed.stream()
                .map(other -> new Op.Quantize.Copy(
                        other,
                        other
                                ? copies.shape(shape.columns(), shape.rows())
                                : copies.shape(shape.rows(), shape.columns())))
                .toList();
        Map<Boolean, Value> values = new HashMap<>();
        List<Node.Output> outputs = new ArrayList<>();
        for (Op.Quantize.Copy copy : all) {
            String name = "%s in %s%s".formatted(content.value.name(), content.type, copy.transposed() ? "^T" : "");
            Value value = graph.transientValue(name, copy.shape(), content.type);
            values.put(copy.transposed(), value);
            outputs.add(new Node.Output(value, false));
        }
        graph.addInto(new Op.Quantize(content.type, all), List.of(content.value), outputs);
        return values;
    }
}
