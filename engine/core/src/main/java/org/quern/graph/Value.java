package org.quern.graph;

/// A tensor of a graph.
///
/// @param id its number in the graph
/// @param name for people; the key into the tensor store if it is a state
/// @param state whether it lives outside of the graph, under its name: parameters, gradients, moments, inputs
///     and results; all others live in the arena, as long as the memory plan gives them
public record Value(int id, String name, Shape shape, DType type, boolean state) {
    public long bytes() {
        return shape.size() * type.bytes();
    }

    @Override
    public String toString() {
        return "%s %s".formatted(name, shape);
    }
}
