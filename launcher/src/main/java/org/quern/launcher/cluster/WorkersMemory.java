package org.quern.launcher.cluster;

import java.util.List;
import java.util.stream.Collectors;
import org.quern.collective.CommunicatorException;
import org.quern.collective.SharedMemory;

/// What the workers of a machine reach each other by: memory for gradients, and for checkpoints. None where they
/// talk by TCP, or one is alone.
record WorkersMemory(List<SharedMemory> regions) implements AutoCloseable {
    static final WorkersMemory NONE = new WorkersMemory(List.of());

    /// Workers agree on a checkpoint with a few numbers each.
    private static final int CHECKPOINT_SLOT_BYTES = 1 << 16;

    /// @throws CommunicatorException if there is not enough
    static WorkersMemory create(int world, long epoch) {
        if (world == 1) {
            return NONE;
        }
        return new WorkersMemory(List.of(
                SharedMemory.create(world, epoch, SharedMemory.SLOT_BYTES),
                SharedMemory.create(world, epoch, CHECKPOINT_SLOT_BYTES)));
    }

    /// The place with the names of this, if it is memory that the workers reach each other by.
    Assignment in(Assignment place) {
        return regions.isEmpty()
                ? place
                : place.withCollective(Assignment.SHARED
                        + regions.stream().map(SharedMemory::name).collect(Collectors.joining(",")));
    }

    @Override
    public void close() {
        regions.forEach(SharedMemory::close);
    }
}
