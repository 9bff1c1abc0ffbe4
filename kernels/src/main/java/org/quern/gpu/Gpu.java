package org.quern.gpu;

/// One GPU, real or emulated: the few verbs of its driver that training needs.
///
/// Everything that a method returns belongs to its [DeviceArena], stream or module and is freed with it. Every
/// status of the driver is checked: what fails throws a [GpuException] that names the call and its meaning.
/// Methods may be called from any thread.
public interface Gpu extends AutoCloseable {
    DeviceProperties properties();

    /// Owns memory until it is closed.
    DeviceArena arena();

    /// Owns nothing but its own queue of work, which runs in order.
    GpuStream stream();

    GpuEvent event();

    /// Loads kernels.
    ///
    /// @throws GpuException if the device cannot run them, with what the assembler says
    GpuModule load(ModuleImage image);

    /// Bytes free now, of [DeviceProperties#memoryBytes].
    long freeBytes();

    /// Waits until the device has nothing left to do.
    void synchronize();

    /// Whether this GPU can read and write the other's memory directly; both must be of one process.
    boolean canAccess(Gpu peer);

    /// Lets kernels of this GPU use the other's memory.
    ///
    /// @throws GpuException if [#canAccess] is false
    void enableAccess(Gpu peer);

    /// A handle by which another process of this machine opens the allocation that `memory` begins, 64 bytes.
    byte[] exportHandle(DeviceMemory memory);

    /// Frees the device.
    ///
    /// @throws GpuException naming them, if arenas, streams, events or modules are still open
    @Override
    void close();
}
