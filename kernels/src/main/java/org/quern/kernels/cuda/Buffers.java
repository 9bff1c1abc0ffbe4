package org.quern.kernels.cuda;

import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;

/// What kernels ask of the buffers that they are bound to.
final class Buffers {
    /// The widest access of a kernel, in bytes.
    private static final int ALIGNMENT = 16;

    private Buffers() {}

    /// The buffer, if it holds `bytes` bytes and begins where 16-byte accesses may.
    static DeviceMemory check(String kernel, String buffer, DeviceMemory memory, long bytes) {
        if (memory.bytes() < bytes) {
            throw new GpuException(
                    "%s: %s must hold %,d bytes: got %,d".formatted(kernel, buffer, bytes, memory.bytes()));
        }
        if (memory.address() % ALIGNMENT != 0) {
            throw new GpuException("%s: %s must be aligned to %d bytes: got address 0x%x"
                    .formatted(kernel, buffer, ALIGNMENT, memory.address()));
        }
        return memory;
    }
}
