package org.quern.collective;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// Memory by which the workers of one machine reach each other, made by the process that starts them.
///
/// It has no name in any file system, but is reached through a file descriptor of its maker. So nothing
/// is left behind whoever dies when, and the size of `/dev/shm`, 64 MB in a container by default, is no
/// limit; it counts as memory of the container, though. Only processes of the same user can open it.
public final class SharedMemory implements AutoCloseable {
    /// Bytes that a worker hands to the others in a step: in the caches, and large enough to wait
    /// seldom.
    public static final long SLOT_BYTES = 1 << 20;

    private final String name;
    private final int descriptor;
    private boolean isClosed;

    private SharedMemory(int descriptor) {
        this.descriptor = descriptor;
        name = "/proc/%d/fd/%d".formatted(ProcessHandle.current().pid(), descriptor);
    }

    /// Why this machine or build has none, if so.
    public static Optional<String> problem() {
        return CollectiveLibrary.problem();
    }

    /// For one attempt of so many workers; all of it is allocated now, about 2 (world + 1) slots.
    ///
    /// @param epoch a number of the attempt, which keeps workers of others out
    /// @param slotBytes see [#SLOT_BYTES]; results do not depend on it
    /// @throws CommunicatorException if there is not enough memory, or [#problem]
    public static SharedMemory create(int world, long epoch, long slotBytes) {
        CollectiveLibrary library = CollectiveLibrary.get();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment error = arena.allocate(CollectiveLibrary.ERROR_BYTES);
            int descriptor;
            try {
                descriptor = (int) library.regionCreate.invokeExact(world, epoch, slotBytes, error);
            } catch (Throwable e) {
                throw CollectiveLibrary.unexpected(e);
            }
            if (descriptor < 0) {
                throw CollectiveLibrary.failure(error);
            }
            return new SharedMemory(descriptor);
        }
    }

    /// What [SharedMemoryCommunicator#join] takes, in other processes too, until this is closed.
    public String name() {
        return name;
    }

    /// To be called when all workers have joined, or none will any more. Those that have joined keep
    /// it.
    @Override
    public synchronized void close() {
        if (!isClosed) {
            isClosed = true;
            try {
                CollectiveLibrary.get().regionClose.invokeExact(descriptor);
            } catch (Throwable e) {
                throw CollectiveLibrary.unexpected(e);
            }
        }
    }
}
