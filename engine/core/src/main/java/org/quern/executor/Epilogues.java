package org.quern.executor;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.quern.gpu.DeviceMemory;
import org.quern.graph.DType;
import org.quern.graph.Node;
import org.quern.graph.Op;
import org.quern.graph.Value;

/// What follows a matrix product and can be done by its kernel while the result is in registers: a bias, then a
/// residual, GELU, or GELU's gradient.
///
/// An operation that is done early writes its output early. That is right only if the memory is not in use by
/// then: where the output takes over the memory of the product, or where nothing lies between the two and the
/// output is apart from what the product reads.
final class Epilogues {
    /// What ends a product.
    enum Kind {
        STORE,
        RESIDUAL,
        GELU,
        GELU_GRADIENT
    }

    /// The end of a product.
    ///
    /// @param bias added first, or null
    /// @param extra the residual, the pre-activation to keep, or the pre-activation to read; or null
    /// @param output what the kernel writes
    /// @param nodes the product and what its kernel does besides
    record Tail(Kind kind, Value bias, Value extra, Value output, List<Node> nodes) {}

    private final List<Node> nodes;
    private final Function<Value, DeviceMemory> memory;
    private final Map<Value, Integer> readers = new HashMap<>();
    private final Map<Integer, Tail> tails = new HashMap<>();
    private final boolean[] done;

    /// @param any whether products can have any end; otherwise they have [Kind#STORE] without a bias
    Epilogues(List<Node> nodes, Function<Value, DeviceMemory> memory, boolean any) {
        this.nodes = nodes;
        this.memory = memory;
        done = new boolean[nodes.size()];
        nodes.forEach(node -> node.inputs().forEach(value -> readers.merge(value, 1, Integer::sum)));
        for (int i = 0; i < nodes.size(); i++) {
            if (nodes.get(i).op() instanceof Op.MatMul || nodes.get(i).op() instanceof Op.QuantizedMatMul) {
                tails.put(i, any ? tail(i) : plain(i));
            }
        }
    }

    /// Whether the product before does this node's work.
    boolean isPartOfProduct(int index) {
        return done[index];
    }

    /// The end of the product at an index; null where there is no product.
    Tail of(int index) {
        return tails.get(index);
    }

    private Tail plain(int product) {
        Node node = nodes.get(product);
        return new Tail(Kind.STORE, null, null, node.output(0), List.of(node));
    }

    private Tail tail(int product) {
        Node node = nodes.get(product);
        Value value = node.output(0);
        Value bias = null;
        List<Node> parts = new ArrayList<>(List.of(node));
        if (value.state() || value.type() != DType.BF16 || node.accumulates(0)) {
            return plain(product);
        }
        int at = product;
        int next = onlyReader(value, at);
        if (next >= 0 && nodes.get(next).op() instanceof Op.AddBias && takesOver(next, value, 0)) {
            bias = nodes.get(next).input(1);
            value = nodes.get(next).output(0);
            parts.add(take(next));
            at = next;
            next = onlyReader(value, at);
        }
        if (next >= 0 && nodes.get(next).op() instanceof Op.Add) {
            int other = nodes.get(next).input(0).equals(value) ? 1 : 0;
            Value residual = nodes.get(next).input(other);
            if (!residual.equals(value) && takesOver(next, value, 1 - other) && isReady(residual, product, next)) {
                parts.add(take(next));
                return new Tail(Kind.RESIDUAL, bias, residual, nodes.get(next).output(0), parts);
            }
        }
        if (next >= 0
                && bias == null
                && nodes.get(next).op().equals(new Op.ActivationGradient(Op.Function.GELU_TANH))
                && takesOver(next, value, 1)
                && isReady(nodes.get(next).input(0), product, next)) {
            parts.add(take(next));
            return new Tail(
                    Kind.GELU_GRADIENT,
                    null,
                    nodes.get(next).input(0),
                    nodes.get(next).output(0),
                    parts);
        }
        if (at + 1 < nodes.size()
                && nodes.get(at + 1).op().equals(new Op.Activation(Op.Function.GELU_TANH))
                && nodes.get(at + 1).input(0).equals(value)
                && at - product <= 1
                && readers.get(value) > 1
                && isApart(nodes.get(at + 1).output(0), node)) {
            parts.add(take(at + 1));
            return new Tail(Kind.GELU, bias, value, nodes.get(at + 1).output(0), parts);
        }
        return new Tail(Kind.STORE, bias, null, value, parts);
    }

    private Node take(int index) {
        done[index] = true;
        return nodes.get(index);
    }

    /// The node behind `from` that reads a value, if it is the only one; else -1.
    private int onlyReader(Value value, int from) {
        if (readers.getOrDefault(value, 0) != 1) {
            return -1;
        }
        for (int i = from + 1; i < nodes.size(); i++) {
            Node node = nodes.get(i);
            if (node.inputs().contains(value)) {
                return node.accumulates(0) ? -1 : i;
            }
            if (node.writes(value)) {
                return -1;
            }
        }
        return -1;
    }

    /// Whether a node's output lies where its input did.
    private boolean takesOver(int index, Value value, int input) {
        Node node = nodes.get(index);
        return node.input(input).equals(value)
                && node.output(0).type() == DType.BF16
                && memory.apply(node.output(0)).equals(memory.apply(value));
    }

    /// Whether a value is at the product what it is at the node that reads it.
    private boolean isReady(Value value, int product, int reader) {
        return nodes.subList(product, reader).stream().noneMatch(node -> node.writes(value));
    }

    private boolean isApart(Value output, Node product) {
        DeviceMemory written = memory.apply(output);
        return product.inputs().stream().map(memory).noneMatch(read -> overlap(written, read));
    }

    private static boolean overlap(DeviceMemory a, DeviceMemory b) {
        return a.address() < b.address() + b.bytes() && b.address() < a.address() + a.bytes();
    }
}
