package org.quern.graph;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A static program of typed operations on tensors, in the order in which they were added.
///
/// Each value that is no state is written by one node first and may be added to by later ones.
public final class Graph {
    private final List<Node> nodes = new ArrayList<>();
    private final List<Value> values = new ArrayList<>();
    private final Map<String, Value> states = new LinkedHashMap<>();
    private final Set<Value> layerInputs = new HashSet<>();

    /// A tensor that lives outside of the graph; the same value for the same name.
    public Value state(String name, Shape shape, DType type) {
        Value known = states.get(name);
        if (known == null) {
            known = newValue(name, shape, type, true);
            states.put(name, known);
        } else if (!known.shape().equals(shape) || known.type() != type) {
            throw new IllegalArgumentException(
                    "state %s is %s %s already: got %s %s".formatted(name, known.type(), known.shape(), type, shape));
        }
        return known;
    }

    /// A new fp32 tensor in the arena.
    public Value transientValue(String name, Shape shape) {
        return transientValue(name, shape, DType.F32);
    }

    /// A new tensor in the arena.
    public Value transientValue(String name, Shape shape, DType type) {
        return newValue(name, shape, type, false);
    }

    /// Adds an operation with one output and returns that.
    public Value add(String name, Op op, Value... inputs) {
        return addAll(name, op, inputs).getFirst();
    }

    /// Adds an operation and returns all of its outputs.
    public List<Value> addAll(String name, Op op, Value... inputs) {
        List<Value> in = Arrays.asList(inputs);
        List<Shape> shapes = op.outputShapes(in.stream().map(Value::shape).toList());
        List<Value> out = new ArrayList<>();
        for (int i = 0; i < shapes.size(); i++) {
            out.add(transientValue(i == 0 ? name : name + "." + i, shapes.get(i)));
        }
        addInto(op, in, out.stream().map(value -> new Node.Output(value, false)).toList());
        return out;
    }

    /// Adds an operation that writes into given values.
    public void addInto(Op op, List<Value> inputs, List<Node.Output> outputs) {
        List<Shape> expected = op.outputShapes(inputs.stream().map(Value::shape).toList());
        List<Shape> actual =
                outputs.stream().map(output -> output.value().shape()).toList();
        if (!expected.equals(actual)) {
            throw new IllegalArgumentException("%s writes %s: got %s".formatted(op, expected, actual));
        }
        nodes.add(new Node(op, inputs, outputs));
    }

    /// Makes the last operation write one of its outputs into a state.
    public void redirect(Value output, Value state) {
        Node last = nodes.removeLast();
        if (!last.writes(output) || !state.state()) {
            throw new IllegalArgumentException("%s does not write %s".formatted(last, output));
        }
        addInto(
                last.op(),
                last.inputs(),
                last.outputs().stream()
                        .map(old -> old.value().equals(output) ? new Node.Output(state, false) : old)
                        .toList());
    }

    /// Says that a value is the input of a layer, or the output of the last one: it is kept when the layers are
    /// computed again in the backward pass.
    public void markLayerInput(Value value) {
        layerInputs.add(value);
    }

    Set<Value> layerInputs() {
        return Collections.unmodifiableSet(layerInputs);
    }

    void remove(Node node) {
        nodes.remove(node);
    }

    void replaceNodes(List<Node> others) {
        nodes.clear();
        nodes.addAll(others);
    }

    public List<Node> nodes() {
        return Collections.unmodifiableList(nodes);
    }

    /// All values; a value's id is its index.
    public List<Value> values() {
        return Collections.unmodifiableList(values);
    }

    /// The states by name.
    public Map<String, Value> states() {
        return Collections.unmodifiableMap(states);
    }

    /// The cost of all operations.
    public Cost cost() {
        return nodes.stream().map(Node::cost).reduce(Cost.NONE, Cost::plus);
    }

    private Value newValue(String name, Shape shape, DType type, boolean state) {
        Value value = new Value(values.size(), name, shape, type, state);
        values.add(value);
        return value;
    }
}
