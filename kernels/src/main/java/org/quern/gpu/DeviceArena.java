package org.quern.gpu;

import java.lang.foreign.MemorySegment;

/// Owns memory of a device and pinned memory of the host; closing frees all of it. Content is undefined at first.
public interface DeviceArena extends AutoCloseable {

    /// Memory of the device, aligned to 256 bytes.
    ///
    /// @throws GpuException if there is not enough, with the bytes asked for and the bytes free
    DeviceMemory allocate(long bytes);

    /// Memory of the host that the device copies from and to without a detour, while the host goes on.
    MemorySegment allocateHost(long bytes);

    /// Opens an allocation of another process of this machine, by [Gpu#exportHandle].
    DeviceMemory open(byte[] handle, long bytes);

    @Override
    void close();
}
