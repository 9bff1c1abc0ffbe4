package org.quern.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Makes the backward pass compute values of the forward pass again: right before the first node that reads such a
/// value, a copy of the node that wrote it is run, after copies of the nodes that wrote what it reads, back to
/// values that are kept. The original then lives no longer than the forward pass needs it.
public final class Recomputation {
    private final Graph graph;

    /// The nodes that are run again, by the values that they write.
    private final Map<Value, Node> writers = new HashMap<>();

    /// What has been computed again, by original.
    private final Map<Value, Value> copies = new HashMap<>();

    private final List<Node> result = new ArrayList<>();

    private Recomputation(Graph graph) {
        this.graph = graph;
    }

    /// Rewrites a graph.
    ///
    /// @param forward how many of its nodes are the forward pass: the first ones
    public static void apply(Graph graph, int forward, Recompute policy) {
        if (policy != Recompute.NONE) {
            new Recomputation(graph).run(forward, policy);
        }
    }

    private void run(int forward, Recompute policy) {
        List<Node> nodes = graph.nodes();
        for (Node node : nodes.subList(0, forward)) {
            result.add(node);
            if (isRecomputed(node, policy)) {
                node.outputs().forEach(output -> writers.put(output.value(), node));
            }
        }
        for (Node node : nodes.subList(forward, nodes.size())) {
            List<Value> inputs = node.inputs().stream().map(this::again).toList();
            result.add(new Node(node.op(), inputs, node.outputs()));
        }
        // What only the backward pass reads was moved there.
        graph.replaceNodes(Schedule.useful(result));
    }

    private boolean isRecomputed(Node node, Recompute policy) {
        boolean changesStates = node.outputs().stream()
                .anyMatch(output -> output.accumulate() || output.value().state());
        return !changesStates
                && switch (policy) {
                    case NONE -> false;
                    case ACTIVATIONS -> node.op().cheapToRecompute();
                    case BLOCK ->
                        node.outputs().stream()
                                .noneMatch(output -> graph.layerInputs().contains(output.value()));
                };
    }

    /// The value to read in the backward pass in place of one of the forward pass.
    private Value again(Value value) {
        Node writer = writers.get(value);
        if (writer == null) {
            return value;
        }
        if (!copies.containsKey(value)) {
            List<Value> inputs = writer.inputs().stream().map(this::again).toList();
            List<Node.Output> outputs = new ArrayList<>();
            for (Node.Output output : writer.outputs()) {
                Value old = output.value();
                Value copy = graph.transientValue(old.name() + " again", old.shape(), old.type());
                copies.put(old, copy);
                outputs.add(new Node.Output(copy, false));
            }
            result.add(new Node(writer.op(), inputs, outputs));
        }
        return copies.get(value);
    }
}
