package org.quern.executor;

import java.lang.foreign.MemorySegment;
import java.util.Set;
import java.util.function.Consumer;
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

    /// As `push`, for what the next run reads and the one under way still needs: a device that can copies it beside
    /// its work, to a second place from which it is moved in time.
    void pushAhead(String name);

    /// Copies a state from the device to the host.
    void pull(String name);

    /// Prepares to read a state without making the device wait.
    ///
    /// @param requests that may be open at once; one more first waits for these
    /// @param reader gets the state's memory, or a copy of it
    Readback readback(String name, int requests, Consumer<MemorySegment> reader);
}
