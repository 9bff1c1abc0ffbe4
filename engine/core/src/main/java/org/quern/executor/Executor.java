package org.quern.executor;

import org.quern.graph.Graph;

/// A device that runs graphs.
public interface Executor extends AutoCloseable {
    TensorStore tensors();

    /// Prepares a graph: schedules it, plans its memory and declares its states.
    Program prepare(Graph graph);

    /// For people: the device and how many threads or which GPU it uses.
    String description();

    @Override
    void close();
}
