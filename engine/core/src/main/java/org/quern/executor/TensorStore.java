package org.quern.executor;

import java.lang.foreign.MemorySegment;
import java.util.Set;
import org.quern.graph.Value;

/// The states of an executor by name: parameters, gradients, moments, inputs, results. They are zero at first.
///
/// People and files see them as host memory. Where the device has memory of its own, `push` and `pull` copy
/// between the two; on the CPU both are the same memory and these do nothing.
public interface TensorStore {
    /// Makes room for a state, unless it is there already.
    ///
    /// @throws IllegalArgumentException if it is there with another shape or type
    void declare(Value state);

    Set<String> names();

    Value value(String name);

    /// The host's memory of a state.
    MemorySegment host(String name);

    /// Copies a state from the host to the device.
    void push(String name);

    /// Copies a state from the device to the host.
    void pull(String name);
}
