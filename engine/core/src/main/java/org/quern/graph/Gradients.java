package org.quern.graph;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Derives the backward pass: reverse-mode differentiation of the nodes that a graph holds, appended to it.
///
/// A value that several operations read has the sum of their contributions for gradient: the first one writes,
/// the others add to it in place. Where a gradient is handed through unchanged (residual additions), both
/// values share one tensor until one of them needs to be added to while the other is still to be read; then it
/// is copied by an addition.
public final class Gradients {
    private final Graph graph;
    private final Map<Value, Value> parameterGradients;
    private final boolean accumulate;

    /// Gradients known so far; several values may share one.
    private final Map<Value, Value> gradients = new HashMap<>();

    /// Values whose gradient is wanted: those that a parameter flows into.
    private final Set<Value> needed = new HashSet<>();

    /// Values of which the producer has not been differentiated yet.
    private final Set<Value> pending = new HashSet<>();

    private int forwardNodes;

    private Gradients(Graph graph, Map<Value, Value> parameterGradients, boolean accumulate) {
        this.graph = graph;
        this.parameterGradients = parameterGradients;
        this.accumulate = accumulate;
    }

    /// Appends the backward pass to a graph.
    ///
    /// @param seeds the gradients that the pass starts from, by value
    /// @param parameterGradients the states that receive the gradients of the parameters
    /// @param accumulate whether the gradients are added to what these states hold, or replace it
    /// @return the number of nodes of the forward pass, which come first
    public static int append(
            Graph graph, Map<Value, Value> seeds, Map<Value, Value> parameterGradients, boolean accumulate) {
        Gradients gradients = new Gradients(graph, parameterGradients, accumulate);
        gradients.run(seeds);
        return gradients.forwardNodes;
    }

    private void run(Map<Value, Value> seeds) {
        List<Node> forward = List.copyOf(graph.nodes());
        forwardNodes = forward.size();
        needed.addAll(parameterGradients.keySet());
        for (Node node : forward) {
            if (node.inputs().stream().anyMatch(needed::contains)) {
                node.outputs().forEach(output -> needed.add(output.value()));
            }
            node.outputs().forEach(output -> pending.add(output.value()));
        }
        gradients.putAll(seeds);
        for (Node node : forward.reversed()) {
            node.outputs().forEach(output -> pending.remove(output.value()));
            boolean known = node.outputs().stream().anyMatch(output -> gradients.containsKey(output.value()));
            if (known && node.outputs().stream().anyMatch(output -> needed.contains(output.value()))) {
                node.op().differentiate(node, this);
            }
        }
        parameterGradients.keySet().forEach(parameter -> {
            if (!gradients.containsKey(parameter)) {
                throw new IllegalArgumentException("the loss does not depend on " + parameter);
            }
        });
    }

    /// The gradient of a value that has been computed.
    Value of(Value value) {
        return gradients.get(value);
    }

    /// Whether a parameter flows into the value.
    boolean needed(Value value) {
        return needed.contains(value);
    }

    /// Adds what `op(inputs)` computes to the gradient of a value.
    void contribute(Value value, Op op, Value... inputs) {
        contributeAll(List.of(value), op, inputs);
    }

    /// Adds the outputs of `op(inputs)` to the gradients of several values, of which at least one is needed.
    void contributeAll(List<Value> values, Op op, Value... inputs) {
        contributeAll(values, List.of(), op, inputs);
    }

    private void contributeAll(List<Value> values, List<Node.Output> before, Op op, Value... inputs) {
        List<Node.Output> targets = values.stream().map(this::target).toList();
        List<Node.Output> outputs = new ArrayList<>(before);
        outputs.addAll(targets);
        graph.addInto(op, Arrays.asList(inputs), outputs);
        for (int i = 0; i < values.size(); i++) {
            Value written = targets.get(i).value();
            Value known = gradients.put(values.get(i), written);
            if (known != null && !known.equals(written)) {
                gradients.put(values.get(i), sum(values.get(i), known, written));
            }
        }
    }

    /// Puts an operation in the place of a node: it has the node's outputs and, behind them, adds to the gradients
    /// of several values, of which at least one is needed. Nothing in the forward pass may read these outputs.
    void replace(Node node, List<Value> values, Op op, Value... inputs) {
        graph.remove(node);
        forwardNodes--;
        contributeAll(values, node.outputs(), op, inputs);
    }

    /// Adds an existing gradient to that of a value.
    void pass(Value value, Value gradient) {
        if (parameterGradients.containsKey(value)) {
            throw new IllegalArgumentException("a parameter cannot be added to activations: " + value);
        }
        if (needed(value)) {
            Value before = gradients.put(value, gradient);
            if (before != null) {
                gradients.put(value, sum(value, before, gradient));
            }
        }
    }

    private Value sum(Value value, Value x, Value y) {
        return graph.add("d " + value.name(), new Op.Add(), x, y);
    }

    /// Where a contribution to the gradient of a value goes: into the gradient of the parameter, into the
    /// gradient so far, or, where there is none or where others still read it, into a new tensor.
    private Node.Output target(Value value) {
        Value known = gradients.get(value);
        Value ofParameter = parameterGradients.get(value);
        if (ofParameter != null) {
            return new Node.Output(ofParameter, accumulate || known != null);
        }
        if (known == null || sharedWithPending(value, known)) {
            return new Node.Output(graph.transientValue("d " + value.name(), value.shape()), false);
        }
        return new Node.Output(known, true);
    }

    private boolean sharedWithPending(Value value, Value gradient) {
        return gradient.state()
                || gradients.entrySet().stream()
                        .anyMatch(other -> other.getValue().equals(gradient)
                                && !other.getKey().equals(value)
                                && pending.contains(other.getKey()));
    }
}
