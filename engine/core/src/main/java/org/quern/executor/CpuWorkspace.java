package org.quern.executor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import org.quern.graph.MemoryPlan;
import org.quern.graph.Op;

/// Memory of kernels beside the tensors: scratch, which all share since one runs at a time, and tables.
final class CpuWorkspace {
    private final Arena memory;
    private final Map<Op.RopeFrequencies, RopeTable> ropeTables = new HashMap<>();
    private MemorySegment scratch = MemorySegment.NULL;

    /// cos and sin of position times frequency, fp32 [positions, D / 2] each.
    record RopeTable(MemorySegment cos, MemorySegment sin) {}

    CpuWorkspace(Arena memory) {
        this.memory = memory;
    }

    /// Scratch of at least that size. Kernels that were given a smaller one before keep it.
    MemorySegment scratch(long bytes) {
        if (bytes > scratch.byteSize()) {
            scratch = memory.allocate(bytes, MemoryPlan.ALIGNMENT);
        }
        return scratch;
    }

    RopeTable ropeTable(Op.RopeFrequencies frequencies) {
        return ropeTables.computeIfAbsent(frequencies, this::newRopeTable);
    }

    private RopeTable newRopeTable(Op.RopeFrequencies frequencies) {
        int half = frequencies.radians().size();
        long bytes = (long) frequencies.positions() * half * Float.BYTES;
        RopeTable table = new RopeTable(
                memory.allocate(bytes, MemoryPlan.ALIGNMENT), memory.allocate(bytes, MemoryPlan.ALIGNMENT));
        for (int position = 0; position < frequencies.positions(); position++) {
            for (int i = 0; i < half; i++) {
                double angle = position * frequencies.radians().get(i);
                long index = (long) position * half + i;
                table.cos().setAtIndex(ValueLayout.JAVA_FLOAT, index, (float) Math.cos(angle));
                table.sin().setAtIndex(ValueLayout.JAVA_FLOAT, index, (float) Math.sin(angle));
            }
        }
        return table;
    }
}
