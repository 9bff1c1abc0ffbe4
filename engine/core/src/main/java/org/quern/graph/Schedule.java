package org.quern.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The order in which the nodes of a graph run: that of the graph, without those that nothing depends on.
///
/// @param nodes the nodes in order
/// @param finalAfter for each state that is written, the index of the node after which it is final: a gradient
///     may be reduced over the workers from there on
public record Schedule(List<Node> nodes, Map<Value, Integer> finalAfter) {
    public Schedule {
        nodes = List.copyOf(nodes);
        finalAfter = Map.copyOf(finalAfter);
    }

    /// Schedules a graph.
    ///
    /// @throws IllegalArgumentException if a tensor is read before it is written
    public static Schedule of(Graph graph) {
        List<Node> nodes = useful(graph.nodes());
        Set<Value> written = new HashSet<>();
        Map<Value, Integer> finalAfter = new HashMap<>();
        for (int i = 0; i < nodes.size(); i++) {
            Node node = nodes.get(i);
            node.inputs().forEach(value -> requireWritten(node, value, written));
            node.outputs().stream()
                    .filter(Node.Output::accumulate)
                    .forEach(output -> requireWritten(node, output.value(), written));
            for (Node.Output output : node.outputs()) {
                written.add(output.value());
                if (output.value().state()) {
                    finalAfter.put(output.value(), i);
                }
            }
        }
        return new Schedule(nodes, finalAfter);
    }

    /// The index of the node after which a state is final.
    public int finalAfter(String state) {
        return finalAfter.entrySet().stream()
                .filter(entry -> entry.getKey().name().equals(state))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no node writes " + state))
                .getValue();
    }

    /// The nodes that a state depends on.
    static List<Node> useful(List<Node> nodes) {
        List<Node> kept = new ArrayList<>();
        Set<Value> wanted = new HashSet<>();
        for (Node node : nodes.reversed()) {
            boolean useful = node.op() instanceof Op.CachedAttention
                    || node.outputs().stream()
                            .anyMatch(output -> output.value().state() || wanted.contains(output.value()));
            if (useful) {
                kept.add(node);
                wanted.addAll(node.inputs());
            }
        }
        return kept.reversed();
    }

    private static void requireWritten(Node node, Value value, Set<Value> written) {
        if (!value.state() && !written.contains(value)) {
            throw new IllegalArgumentException("%s reads %s before it is written".formatted(node, value));
        }
    }
}
