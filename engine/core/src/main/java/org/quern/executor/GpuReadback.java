package org.quern.executor;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuEvent;
import org.quern.gpu.GpuStream;

/// Copies a state to pinned memory behind the work that makes it, a place for each request, and reads them all once
/// they are there.
final class GpuReadback implements Readback {
    private final GpuStream stream;
    private final DeviceMemory state;
    private final List<MemorySegment> places;
    private final GpuEvent copied;
    private final Consumer<MemorySegment> reader;
    private int requested;

    GpuReadback(
            Gpu gpu,
            DeviceArena arena,
            GpuStream stream,
            DeviceMemory state,
            int places,
            Consumer<MemorySegment> reader) {
        this.stream = stream;
        this.state = state;
        this.reader = reader;
        this.places = IntStream.range(0, places)
                .mapToObj(_ -> arena.allocateHost(state.bytes()))
                .toList();
        copied = gpu.event();
    }

    @Override
    public void request() {
        if (requested == places.size()) {
            finish();
        }
        stream.copyToHost(state, places.get(requested));
        stream.record(copied);
        requested++;
    }

    @Override
    public void finish() {
        copied.synchronize();
        for (int i = 0; i < requested; i++) {
            reader.accept(places.get(i));
        }
        requested = 0;
    }

    /// Frees the event; memory belongs to the arena.
    void close() {
        copied.close();
    }
}
