package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;

/// Checks of the buffers that a kernel is bound to.
///
/// Inner loops read memory unchecked (see [Native]). So every kernel checks the sizes of its buffers when it is
/// constructed, keeps hold of them, and asks for their addresses anew in each task, which fails if the memory
/// was given back.
final class Buffers {
    private Buffers() {}

    /// The buffer, if it is memory off the heap that holds `count` floats.
    static MemorySegment floats(MemorySegment buffer, long count) {
        return bytes(buffer, count * Float.BYTES);
    }

    /// The buffer, if it is memory off the heap that holds `count` 32-bit integers.
    static MemorySegment ints(MemorySegment buffer, long count) {
        return bytes(buffer, count * Integer.BYTES);
    }

    /// The buffer, if it is memory off the heap that holds `bytes` bytes.
    static MemorySegment bytes(MemorySegment buffer, long bytes) {
        if (!buffer.isNative()) {
            throw new IllegalArgumentException("a kernel's buffer must lie off the heap: got " + buffer);
        }
        if (buffer.byteSize() < bytes) {
            throw new IllegalArgumentException(
                    "a kernel's buffer must hold %d bytes: got %d".formatted(bytes, buffer.byteSize()));
        }
        return buffer;
    }

    /// Where a buffer starts.
    static long address(MemorySegment buffer) {
        if (!buffer.scope().isAlive()) {
            throw new IllegalStateException("the memory of a kernel's buffer was given back");
        }
        return buffer.address();
    }
}
