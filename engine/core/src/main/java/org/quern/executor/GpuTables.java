package org.quern.executor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuStream;
import org.quern.graph.Op;

/// Constant tables of kernels in a GPU's memory.
final class GpuTables {
    private final DeviceArena arena;
    private final GpuStream stream;
    private final Map<Op.RopeFrequencies, Rope> rope = new HashMap<>();

    /// cos and sin of position times frequency, fp32 [positions, D / 2] each.
    record Rope(DeviceMemory cos, DeviceMemory sin) {}

    GpuTables(DeviceArena arena, GpuStream stream) {
        this.arena = arena;
        this.stream = stream;
    }

    Rope rope(Op.RopeFrequencies frequencies) {
        return rope.computeIfAbsent(frequencies, this::newRope);
    }

    /// What the tables take.
    static long bytes(Op.RopeFrequencies frequencies) {
        return 2L * frequencies.positions() * frequencies.radians().size() * Float.BYTES;
    }

    private Rope newRope(Op.RopeFrequencies frequencies) {
        double[] radians =
                frequencies.radians().stream().mapToDouble(Double::doubleValue).toArray();
        long bytes = bytes(frequencies) / 2;
        try (Arena host = Arena.ofConfined()) {
            MemorySegment cos = host.allocate(bytes);
            MemorySegment sin = host.allocate(bytes);
            org.quern.kernels.cpu.Rope.fillTables(radians, frequencies.positions(), cos, sin);
            return new Rope(upload(cos), upload(sin));
        }
    }

    private DeviceMemory upload(MemorySegment table) {
        DeviceMemory memory = arena.allocate(table.byteSize());
        stream.copyToDevice(table, memory);
        stream.synchronize();
        return memory;
    }
}
