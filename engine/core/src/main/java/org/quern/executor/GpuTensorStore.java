package org.quern.executor;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.quern.collective.Communicator;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuEvent;
import org.quern.gpu.GpuFault;
import org.quern.gpu.GpuStream;
import org.quern.graph.Value;
import org.quern.kernels.cuda.ElementType;
import org.quern.kernels.cuda.Fp8Matrix;
import org.quern.kernels.cuda.Fp8Type;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.Pointwise;
import org.quern.kernels.cuda.Quantize;

/// States in a GPU's memory, with pinned memory of the host for those that people and files look at.
///
/// An fp32 state that operations read as bf16 has a working copy beside it, and where products take floats of 8 bits
/// copies of that: `push` makes them anew, and the optimiser keeps them true.
final class GpuTensorStore implements TensorStore {
    /// What a state has. Host memory comes when it is first asked for.
    private static final class Entry {
        final Value value;
        final DeviceMemory device;
        MemorySegment host;
        /// The end of the last copy from the host: until then the host's memory must stay as it is.
        GpuEvent pushed;
        DeviceMemory workingCopy;
        GpuKernel cast;
        /// Copies of the working copy in floats of 8 bits, or null, and what makes them.
        Fp8Matrix quantized;
        Fp8Matrix transposed;
        GpuKernel quantize;
        /// Where `pushAhead` copies to, and the end of the move from there.
        DeviceMemory ahead;
        GpuEvent moved;
        /// The states that lie together with this one.
        Together together;

        Entry(Value value, DeviceMemory device) {
            this.value = value;
            this.device = device;
        }
    }

    private final Gpu gpu;
    private final DeviceArena arena;
    private final GpuStream stream;
    /// Copies beside the stream's work.
    private final GpuStream copies;
    private final KernelLibrary library;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final List<GpuReadback> readbacks = new ArrayList<>();

    GpuTensorStore(Gpu gpu, DeviceArena arena, GpuStream stream, KernelLibrary library) {
        this.gpu = gpu;
        this.arena = arena;
        this.stream = stream;
        this.library = library;
        copies = gpu.stream();
    }

    @Override
    public void declareTogether(List<Value> states) {
        Together together = Together.of(states);
        DeviceMemory memory =
                allocate(arena, together.bytes(), "%d states from %s on".formatted(states.size(), states.getFirst()));
        stream.fill(memory, (byte) 0);
        for (Value state : states) {
            if (entries.containsKey(state.name())) {
                throw new IllegalArgumentException("state %s is there already".formatted(state.name()));
            }
            Entry entry = new Entry(state, memory.slice(together.offset(state), state.bytes()));
            entry.together = together;
            entries.put(state.name(), entry);
        }
    }

    @Override
    public void declare(Value state) {
        Entry known = entries.get(state.name());
        if (known == null) {
            DeviceMemory memory = allocate(arena, state.bytes(), state.toString());
            stream.fill(memory, (byte) 0);
            entries.put(state.name(), new Entry(state, memory));
        } else if (!known.value.shape().equals(state.shape()) || known.value.type() != state.type()) {
            throw new IllegalArgumentException("state %s is %s %s already: got %s %s"
                    .formatted(state.name(), known.value.type(), known.value.shape(), state.type(), state.shape()));
        }
    }

    /// Memory of the device.
    ///
    /// @param what it is for
    static DeviceMemory allocate(DeviceArena arena, long bytes, String what) {
        try {
            return arena.allocate(bytes);
        } catch (GpuFault e) {
            throw e.at(what);
        }
    }

    /// Gives an fp32 state a bf16 working copy, unless it has one.
    void declareWorkingCopy(Value state) {
        Entry entry = entry(state.name());
        if (entry.workingCopy == null) {
            entry.workingCopy = allocate(arena, ProgramMemory.workingCopyBytes(state), "the bf16 copy of " + state);
            entry.cast = Pointwise.cast(
                    library,
                    entry.device,
                    ElementType.F32,
                    entry.workingCopy,
                    ElementType.BF16,
                    state.shape().size());
            entry.cast.launch(stream);
        }
    }

    /// Gives a state that has a working copy one in floats of 8 bits too, unless it has it.
    void declareQuantized(Value state, boolean transposed) {
        Entry entry = entry(state.name());
        if ((transposed ? entry.transposed : entry.quantized) != null) {
            return;
        }
        int rows = state.shape().rows();
        int columns = state.shape().columns();
        DeviceMemory memory =
                allocate(arena, ProgramMemory.quantizedBytes(state, transposed), "the 8-bit copy of " + state);
        if (transposed) {
            entry.transposed = Fp8Matrix.in(memory, Fp8Type.E4M3, columns, rows);
        } else {
            entry.quantized = Fp8Matrix.in(memory, Fp8Type.E4M3, rows, columns);
        }
        entry.quantize = Quantize.of(library, entry.workingCopy, rows, columns, entry.quantized, entry.transposed);
        entry.quantize.launch(stream);
    }

    /// A state's copy in floats of 8 bits.
    Fp8Matrix quantized(String name, boolean transposed) {
        return transposed ? entry(name).transposed : entry(name).quantized;
    }

    /// Makes a state's copies in floats of 8 bits of its working copy, where it has such.
    Optional<GpuKernel> quantize(String name) {
        return Optional.ofNullable(entry(name).quantize);
    }

    /// The device's memory of a state.
    DeviceMemory device(String name) {
        return entry(name).device;
    }

    /// The bf16 working copy of a state, where there is one.
    Optional<DeviceMemory> workingCopy(String name) {
        return Optional.ofNullable(entry(name).workingCopy);
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(entries.keySet());
    }

    @Override
    public Value value(String name) {
        return entry(name).value;
    }

    @Override
    public MemorySegment host(String name) {
        Entry entry = entry(name);
        if (entry.host == null) {
            allocateHost(entry);
        } else {
            entry.pushed.synchronize();
        }
        return entry.host;
    }

    private void allocateHost(Entry entry) {
        if (entry.together == null) {
            setHost(entry, arena.allocateHost(entry.value.bytes()));
            return;
        }
        MemorySegment memory = arena.allocateHost(entry.together.bytes());
        entry.together.offsets().forEach((name, offset) -> {
            Entry each = entry(name);
            setHost(each, memory.asSlice(offset, each.value.bytes()));
        });
    }

    private void setHost(Entry entry, MemorySegment memory) {
        entry.host = memory.fill((byte) 0);
        entry.pushed = gpu.event();
    }

    @Override
    public MemorySegment together(String first, String last, Communicator.Place place) {
        return switch (place) {
            case HOST -> {
                MemorySegment from = host(first);
                MemorySegment to = host(last);
                yield from.reinterpret(to.address() + to.byteSize() - from.address());
            }
            case DEVICE -> {
                DeviceMemory from = device(first);
                DeviceMemory to = device(last);
                yield MemorySegment.ofAddress(from.address()).reinterpret(to.address() + to.bytes() - from.address());
            }
        };
    }

    @Override
    public void synchronize() {
        stream.synchronize();
    }

    @Override
    public void changed(String name) {
        Entry entry = entry(name);
        if (entry.cast != null) {
            entry.cast.launch(stream);
        }
        if (entry.quantize != null) {
            entry.quantize.launch(stream);
        }
    }

    @Override
    public boolean isHostMemory() {
        return false;
    }

    @Override
    public void push(String name) {
        Entry entry = entry(name);
        stream.copyToDevice(host(name), entry.device);
        stream.record(entry.pushed);
        changed(name);
    }

    @Override
    public void pushAhead(String name) {
        Entry entry = entry(name);
        if (entry.ahead == null) {
            entry.ahead = allocate(arena, entry.value.bytes(), "the next " + entry.value);
            entry.moved = gpu.event();
        }
        MemorySegment host = host(name);
        copies.await(entry.moved);
        copies.copyToDevice(host, entry.ahead);
        copies.record(entry.pushed);
        stream.await(entry.pushed);
        stream.copy(entry.ahead, entry.device);
        stream.record(entry.moved);
    }

    @Override
    public void pull(String name) {
        stream.copyToHost(entry(name).device, host(name));
        stream.synchronize();
    }

    @Override
    public Readback readback(String name, int requests, Consumer<MemorySegment> reader) {
        GpuReadback readback = new GpuReadback(gpu, arena, stream, device(name), requests, reader);
        readbacks.add(readback);
        return readback;
    }

    private Entry entry(String name) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new IllegalArgumentException("there is no state " + name);
        }
        return entry;
    }

    /// Frees the stream and the events; memory belongs to the arena.
    void close() {
        copies.close();
        readbacks.forEach(GpuReadback::close);
        entries.values().forEach(entry -> {
            if (entry.pushed != null) {
                entry.pushed.close();
            }
            if (entry.moved != null) {
                entry.moved.close();
            }
        });
    }
}
