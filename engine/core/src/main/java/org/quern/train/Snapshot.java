package org.quern.train;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.executor.TensorStore;
import org.quern.graph.MemoryPlan;

/// States of a device as they were at one moment, in memory of the host that stays as it is while the device goes on.
///
/// That is the tensor store's own (pinned) memory where the device has another, and a second copy where not. Either is
/// allocated once.
final class Snapshot implements AutoCloseable {
    private final TensorStore tensors;
    private final Arena arena = Arena.ofShared();
    private final Map<String, MemorySegment> memory = new LinkedHashMap<>();

    Snapshot(TensorStore tensors, List<String> states) {
        this.tensors = tensors;
        for (String state : states) {
            MemorySegment host = tensors.host(state);
            memory.put(state, tensors.isHostMemory() ? arena.allocate(host.byteSize(), MemoryPlan.ALIGNMENT) : host);
        }
    }

    /// Copies all states from the device. Nobody may be reading them.
    void take() {
        if (tensors.isHostMemory()) {
            memory.entrySet().parallelStream()
                    .forEach(entry -> entry.getValue().copyFrom(tensors.host(entry.getKey())));
        } else {
            memory.keySet().forEach(tensors::pull);
        }
    }

    /// A state as it was when it was last taken.
    MemorySegment memory(String state) {
        return memory.get(state);
    }

    @Override
    public void close() {
        arena.close();
    }
}
