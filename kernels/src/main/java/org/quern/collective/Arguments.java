package org.quern.collective;

import java.lang.foreign.MemorySegment;

/// What every back end asks of the arguments of its calls.
final class Arguments {
    private Arguments() {}

    /// @return the number of elements
    /// @throws IllegalArgumentException if the data are on the heap, or no whole, aligned elements
    static long elements(MemorySegment data, ElementType type) {
        requireNative(data);
        if (data.byteSize() % type.bytes() != 0 || data.address() % type.bytes() != 0) {
            throw new IllegalArgumentException("data must be whole, aligned elements of %s: got %,d bytes at address %x"
                    .formatted(type, data.byteSize(), data.address()));
        }
        return data.byteSize() / type.bytes();
    }

    static void requireNative(MemorySegment data) {
        if (!data.isNative()) {
            throw new IllegalArgumentException("data must be off the heap");
        }
    }

    /// @throws IllegalArgumentException if the parts are not as [Communicator#reduceScatter] says
    static void requireParts(long[] bounds, int world, long elements) {
        boolean right = bounds.length == world + 1 && bounds[0] == 0 && bounds[world] == elements;
        for (int i = 0; right && i < world; i++) {
            right = bounds[i] <= bounds[i + 1];
        }
        if (!right) {
            throw new IllegalArgumentException("bounds must be %d numbers, ascending from 0 to %d: got %s"
                    .formatted(world + 1, elements, java.util.Arrays.toString(bounds)));
        }
    }

    static void requireRank(int rank, int world) {
        if (rank < 0 || rank >= world) {
            throw new IllegalArgumentException("there is no worker %d of %d".formatted(rank, world));
        }
    }
}
