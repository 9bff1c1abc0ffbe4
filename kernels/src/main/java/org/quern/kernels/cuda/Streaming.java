package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuFunction;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// Launches of kernels whose time is memory's: their checks, the width of their accesses, and grids that keep a
/// device busy. For one operation; the buffers that it checks decide how wide an access can be.
final class Streaming {
    /// Threads of a warp.
    static final int WARP = 32;
    /// Of the kernels that go over elements.
    private static final int THREADS = 256;
    /// Of those, what keeps a multiprocessor busy.
    private static final int BLOCKS = 8;
    /// Where the widest access may begin.
    private static final int ALIGNMENT = 16;

    private final String kernel;
    private final KernelLibrary library;
    private final List<DeviceMemory> tensors = new ArrayList<>();

    Streaming(String kernel, KernelLibrary library) {
        this.kernel = kernel;
        this.library = library;
    }

    /// Checks a size.
    int positive(String name, long value) {
        if (value < 1 || value > Integer.MAX_VALUE) {
            throw new GpuException(
                    "%s: %s must be from 1 to %,d: got %,d".formatted(kernel, name, Integer.MAX_VALUE, value));
        }
        return (int) value;
    }

    /// Checks a number of elements.
    long count(long value) {
        if (value < 1) {
            throw new GpuException("%s: a tensor must have at least 1 element: got %,d".formatted(kernel, value));
        }
        return value;
    }

    /// Checks a tensor that is accessed as widely as it can be.
    DeviceMemory tensor(String name, DeviceMemory memory, ElementType type, long elements) {
        tensors.add(buffer(name, memory, type.bytes(), elements));
        return memory;
    }

    /// Checks memory that is accessed one element at a time.
    ///
    /// @param elements less than 0 if they are more than a long can count
    DeviceMemory buffer(String name, DeviceMemory memory, int elementBytes, long elements) {
        if (elements < 0 || elements > Long.MAX_VALUE / elementBytes) {
            throw new GpuException("%s: %s would need more than %,d bytes".formatted(kernel, name, Long.MAX_VALUE));
        }
        if (memory.bytes() < elements * elementBytes) {
            throw new GpuException(
                    "%s: %s needs %,d bytes: got %,d".formatted(kernel, name, elements * elementBytes, memory.bytes()));
        }
        if (memory.address() % elementBytes != 0) {
            throw new GpuException("%s: %s must be aligned to %d bytes: got address %#x"
                    .formatted(kernel, name, elementBytes, memory.address()));
        }
        return memory;
    }

    /// Checks memory that a kernel needs for itself, aligned for any access.
    DeviceMemory workspace(DeviceMemory memory, long bytes) {
        return buffer("workspace", memory.bytes() < bytes ? memory : aligned("workspace", memory), 1, bytes);
    }

    private DeviceMemory aligned(String name, DeviceMemory memory) {
        if (memory.address() % ALIGNMENT != 0) {
            throw new GpuException("%s: %s must be aligned to %d bytes: got address %#x"
                    .formatted(kernel, name, ALIGNMENT, memory.address()));
        }
        return memory;
    }

    /// The elements of an access: `widest`, or 1 if a tensor is not aligned to 16 bytes or `widest` does not
    /// divide the columns.
    int vector(int widest, long columns) {
        boolean aligned = tensors.stream().allMatch(tensor -> tensor.address() % ALIGNMENT == 0);
        return aligned && columns % widest == 0 ? widest : 1;
    }

    GpuFunction function(KernelVariant variant, String entry) {
        return library.function(variant, entry);
    }

    int multiprocessors() {
        return library.device().multiprocessors();
    }

    /// A launch over `count` elements, by the macro `elements` of memory.ftl.
    Launch elements(KernelVariant variant, String entry, int vector, long count, Object... arguments) {
        return new Launch(function(variant, entry), Dim.of(blocks(vector, count)), Dim.of(THREADS), 0, arguments);
    }

    /// The blocks of [#elements].
    int blocks(int vector, long count) {
        return blocks(vector, count, multiprocessors());
    }

    static int blocks(int vector, long count, int multiprocessors) {
        return (int) Math.min((long) BLOCKS * multiprocessors, Math.ceilDiv(count, 2L * vector * THREADS));
    }

    /// A launch in which each thread keeps to `vector` of the columns, and goes over rows.
    Launch rows(KernelVariant variant, String entry, int vector, int rows, int columns, Object... arguments) {
        int vectors = Math.ceilDiv(columns, vector);
        int threads = WARP * Math.min(THREADS / WARP, Math.ceilDiv(vectors, WARP));
        int slices = Math.ceilDiv(vectors, threads);
        long busy = Math.ceilDiv((long) BLOCKS * THREADS * multiprocessors(), (long) threads * slices);
        return new Launch(
                function(variant, entry), Dim.of((int) Math.min(rows, busy), slices), Dim.of(threads), 0, arguments);
    }
}
