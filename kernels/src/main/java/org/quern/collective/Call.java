package org.quern.collective;

import java.nio.ByteBuffer;

/// What a worker asks for; must be the same in all.
///
/// @param count elements, or bytes of a broadcast
/// @param root of a broadcast
/// @param parts a hash of the bounds
record Call(Operation operation, ElementType type, int root, long count, long parts) {
    static final int BYTES = 3 * Integer.BYTES + 2 * Long.BYTES;

    enum Operation {
        ALL_REDUCE,
        REDUCE_SCATTER,
        ALL_GATHER,
        BROADCAST,
        BARRIER
    }

    static Call allReduce(long count, ElementType type) {
        return new Call(Operation.ALL_REDUCE, type, 0, count, 0);
    }

    static Call inParts(Operation operation, long[] bounds, ElementType type) {
        long hash = 0;
        for (long bound : bounds) {
            hash = hash * 0x9E3779B97F4A7C15L + bound;
        }
        return new Call(operation, type, 0, bounds[bounds.length - 1], hash);
    }

    static Call broadcast(long bytes, int root) {
        return new Call(Operation.BROADCAST, ElementType.F32, root, bytes, 0);
    }

    static Call barrier() {
        return new Call(Operation.BARRIER, ElementType.F32, 0, 0, 0);
    }

    void write(ByteBuffer buffer) {
        buffer.putInt(operation.ordinal()).putInt(type.ordinal()).putInt(root);
        buffer.putLong(count).putLong(parts);
    }

    /// @throws ArrayIndexOutOfBoundsException if the buffer holds something else
    static Call read(ByteBuffer buffer) {
        Operation operation = Operation.values()[buffer.getInt()];
        ElementType type = ElementType.values()[buffer.getInt()];
        return new Call(operation, type, buffer.getInt(), buffer.getLong(), buffer.getLong());
    }

    @Override
    public String toString() {
        return switch (operation) {
            case ALL_REDUCE -> "allReduce of %d %s".formatted(count, type);
            case REDUCE_SCATTER -> "reduceScatter of %d %s in parts %08x".formatted(count, type, (int) parts);
            case ALL_GATHER -> "allGather of %d %s in parts %08x".formatted(count, type, (int) parts);
            case BROADCAST -> "broadcast of %d bytes from worker %d".formatted(count, root);
            case BARRIER -> "barrier";
        };
    }
}
