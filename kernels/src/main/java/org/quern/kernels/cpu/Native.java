package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// Off-heap memory by absolute address, for inner loops whose kernel has checked its buffers when it was constructed.
///
/// A load through the segment of a buffer asks each time whether its arena is still open and whether the offset lies
/// inside; through `MEMORY`, a constant that spans the address space, both questions fold away.
final class Native {
    static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ORDER);

    /// The widest vectors of this machine.
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

    static final int LANES = SPECIES.length();

    /// Bytes of a vector.
    static final long BYTES = SPECIES.vectorByteSize();

    private Native() {}

    static float get(long address) {
        return MEMORY.get(FLOAT, address);
    }

    static int getInt(long address) {
        return MEMORY.get(ValueLayout.JAVA_INT_UNALIGNED, address);
    }

    static void put(long address, float value) {
        MEMORY.set(FLOAT, address, value);
    }

    static FloatVector load(long address) {
        return FloatVector.fromMemorySegment(SPECIES, MEMORY, address, ORDER);
    }

    static FloatVector broadcast(long address) {
        return FloatVector.broadcast(SPECIES, get(address));
    }

    static void store(FloatVector vector, long address) {
        vector.intoMemorySegment(MEMORY, address, ORDER);
    }

    /// Checks that a buffer is native and holds at least `floats` floats, and returns its address.
    static long address(String name, MemorySegment buffer, long floats) {
        if (!buffer.isNative()) {
            throw new IllegalArgumentException(name + " must lie off the heap");
        }
        if (buffer.byteSize() < floats * Float.BYTES) {
            throw new IllegalArgumentException("%s must hold %d floats (%d bytes): got %d bytes"
                    .formatted(name, floats, floats * Float.BYTES, buffer.byteSize()));
        }
        return buffer.address();
    }
}
