package org.quern.executor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.quern.collective.Communicator;
import org.quern.graph.MemoryPlan;
import org.quern.graph.Value;

/// States in off-heap memory.
final class CpuTensorStore implements TensorStore {
    private record Entry(Value value, MemorySegment memory) {}

    private final Arena arena;
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    CpuTensorStore(Arena arena) {
        this.arena = arena;
    }

    @Override
    public void declare(Value state) {
        Entry known = entries.get(state.name());
        if (known == null) {
            entries.put(state.name(), new Entry(state, arena.allocate(state.bytes(), MemoryPlan.ALIGNMENT)));
        } else if (!known.value().shape().equals(state.shape()) || known.value().type() != state.type()) {
            throw new IllegalArgumentException("state %s is %s %s already: got %s %s"
                    .formatted(state.name(), known.value().type(), known.value().shape(), state.type(), state.shape()));
        }
    }

    @Override
    public void declareTogether(List<Value> states) {
        Together together = Together.of(states);
        MemorySegment memory = arena.allocate(together.bytes(), TOGETHER);
        for (Value state : states) {
            requireNew(state);
            entries.put(state.name(), new Entry(state, memory.asSlice(together.offset(state), state.bytes())));
        }
    }

    private void requireNew(Value state) {
        if (entries.containsKey(state.name())) {
            throw new IllegalArgumentException("state %s is there already".formatted(state.name()));
        }
    }

    @Override
    public MemorySegment together(String first, String last, Communicator.Place place) {
        if (place != Communicator.Place.HOST) {
            throw new IllegalArgumentException("the CPU has memory of the host only: got " + place);
        }
        MemorySegment from = host(first);
        MemorySegment to = host(last);
        return from.reinterpret(to.address() + to.byteSize() - from.address());
    }

    @Override
    public void synchronize() {}

    @Override
    public void changed(String name) {
        entry(name);
    }

    @Override
    public boolean isHostMemory() {
        return true;
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(entries.keySet());
    }

    @Override
    public Value value(String name) {
        return entry(name).value();
    }

    @Override
    public MemorySegment host(String name) {
        return entry(name).memory();
    }

    @Override
    public void push(String name) {
        entry(name);
    }

    @Override
    public void pull(String name) {
        entry(name);
    }

    @Override
    public void pushAhead(String name) {
        entry(name);
    }

    @Override
    public Readback readback(String name, int requests, Consumer<MemorySegment> reader) {
        MemorySegment memory = host(name);
        return new Readback() {
            @Override
            public void request() {
                reader.accept(memory);
            }

            @Override
            public void finish() {}
        };
    }

    private Entry entry(String name) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new IllegalArgumentException("there is no state " + name);
        }
        return entry;
    }
}
