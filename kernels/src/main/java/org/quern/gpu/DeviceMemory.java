package org.quern.gpu;

/// A range of a GPU's memory. It is valid as long as the [DeviceArena] that it came from.
///
/// @param address in the device's address space
/// @param bytes its length
public record DeviceMemory(long address, long bytes) {
    /// Of no bytes.
    public static final DeviceMemory NONE = new DeviceMemory(0, 0);

    /// A part of this range.
    ///
    /// @throws IndexOutOfBoundsException if it is not within
    public DeviceMemory slice(long offset, long length) {
        java.util.Objects.checkFromIndexSize(offset, length, bytes);
        return new DeviceMemory(address + offset, length);
    }
}
