package org.quern.executor;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.quern.graph.Cost;
import org.quern.graph.Node;
import org.quern.graph.Value;

/// What a kernel does: a node, and those that it does besides while the node's result is at hand.
///
/// @param nodes in order, each reading what one before it makes
/// @param cost floating-point operations of all of them, bytes without what stays between them
public record Operation(List<Node> nodes, Cost cost) {

    /// @param stored of the values that one of the nodes makes for another, those that go to memory too
    /// @param bytes that a node alone reads and writes
    static Operation of(List<Node> nodes, Set<Value> stored, ToDoubleFunction<Node> bytes) {
        double flop = 0;
        double moved = 0;
        List<Value> made = new ArrayList<>();
        for (Node node : nodes) {
            flop += node.cost().flop();
            moved += bytes.applyAsDouble(node);
            for (Value input : node.inputs()) {
                if (made.remove(input)) {
                    moved -= input.bytes() * (stored.contains(input) ? 1 : 2);
                }
            }
            node.outputs().forEach(output -> made.add(output.value()));
        }
        return new Operation(List.copyOf(nodes), new Cost(flop, moved));
    }

    /// Such as `MatMul + AddBias`.
    public String kind() {
        return nodes.stream().map(node -> node.op().getClass().getSimpleName()).collect(Collectors.joining(" + "));
    }

    /// What it is for: its last result.
    public Value result() {
        return nodes.getLast().output(0);
    }
}
