package org.quern.graph;

import java.util.List;

/// An operation applied to values.
public record Node(Op op, List<Value> inputs, List<Output> outputs) {

    /// A value that a node writes.
    ///
    /// @param accumulate whether the result is added to what the value holds
    public record Output(Value value, boolean accumulate) {}

    public Node {
        inputs = List.copyOf(inputs);
        outputs = List.copyOf(outputs);
    }

    public Value input(int index) {
        return inputs.get(index);
    }

    public Value output(int index) {
        return outputs.get(index).value();
    }

    public boolean accumulates(int index) {
        return outputs.get(index).accumulate();
    }

    public boolean writes(Value value) {
        return outputs.stream().anyMatch(output -> output.value().equals(value));
    }

    public Cost cost() {
        return op.cost(this);
    }

    @Override
    public String toString() {
        return "%s(%s) -> %s"
                .formatted(op, inputs, outputs.stream().map(Output::value).toList());
    }
}
