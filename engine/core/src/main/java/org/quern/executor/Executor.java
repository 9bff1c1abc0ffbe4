package org.quern.executor;

import java.util.List;
import java.util.Optional;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.Gpu;
import org.quern.graph.Graph;

/// A device that runs graphs.
public interface Executor extends AutoCloseable {
    TensorStore tensors();

    /// Prepares a graph: schedules it, plans its memory and declares its states.
    default Program prepare(Graph graph) {
        return prepare(graph, List.of());
    }

    /// Prepares a graph whose runs say how far they are.
    Program prepare(Graph graph, List<Milestone> milestones);

    /// From now on runs go operation by operation, and the listener is told how long each took; without one, as
    /// before. What is computed stays the same.
    void observe(Optional<OperationListener> listener);

    /// For people: what the time is that the listener is told.
    String clock();

    /// What the GPU is that it uses, if it uses one.
    Optional<DeviceProperties> gpu();

    /// The GPU itself, if it is one whose memory other libraries reach: not the emulator's.
    default Optional<Gpu> hardware() {
        return Optional.empty();
    }

    /// For people: the device and how many threads or which GPU it uses.
    String description();

    @Override
    void close();
}
