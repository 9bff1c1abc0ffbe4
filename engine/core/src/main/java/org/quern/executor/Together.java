package org.quern.executor;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.quern.graph.Value;

/// Where states lie that are declared together.
///
/// @param offsets of each, bytes from the first
/// @param bytes of all
record Together(Map<String, Long> offsets, long bytes) {
    static Together of(List<Value> states) {
        Map<String, Long> offsets = new HashMap<>();
        long bytes = 0;
        for (Value state : states) {
            offsets.put(state.name(), bytes);
            bytes = Math.ceilDiv(bytes + state.bytes(), TensorStore.TOGETHER) * TensorStore.TOGETHER;
        }
        return new Together(offsets, bytes);
    }

    long offset(Value state) {
        return offsets.get(state.name());
    }
}
