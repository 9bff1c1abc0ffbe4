package org.quern.gpu;

import java.lang.foreign.MemorySegment;

/// A queue of work that runs in order, while the host goes on.
public interface GpuStream extends AutoCloseable {

    /// Starts a kernel. Allocates nothing.
    void launch(Launch launch);

    /// Copies from the host; from memory of [DeviceArena#allocateHost], without waiting.
    void copyToDevice(MemorySegment source, DeviceMemory target);

    /// Copies to the host; to memory of [DeviceArena#allocateHost], without waiting.
    void copyToHost(DeviceMemory source, MemorySegment target);

    /// Copies within the device, or from a peer.
    void copy(DeviceMemory source, DeviceMemory target);

    /// Sets every byte.
    void fill(DeviceMemory target, byte value);

    /// Marks this place of the queue.
    void record(GpuEvent event);

    /// Lets what follows wait until the event's last mark, of any stream, has been reached.
    void await(GpuEvent event);

    /// Runs `work`, which queues work on this stream, and keeps it for replay instead of doing it.
    ///
    /// @throws GpuException if the work cannot be kept, because it waits for the device
    GpuGraph capture(Runnable work);

    /// Does what was captured, as one launch.
    void replay(GpuGraph graph);

    /// Runs `work`, which queues work on this stream, and names that: a device that knows at what it fails says so.
    default void named(String name, Runnable work) {
        work.run();
    }

    /// Waits until all work so far is done.
    ///
    /// @throws GpuException with the reason if some of it failed
    void synchronize();

    @Override
    void close();
}
