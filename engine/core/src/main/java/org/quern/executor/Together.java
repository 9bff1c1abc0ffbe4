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
        long[] all = TensorStore.offsets(states.stream().mapToLong(Value::bytes).toArray());
        Map<String, Long> offsets = new HashMap<>();
        for (int i = 0; i < states.size(); i++) {
            offsets.put(states.get(i).name(), all[i]);
        }
        return new Together(offsets, all[states.size()]);
    }

    long offset(Value state) {
        return offsets.get(state.name());
    }
}
