package org.quern.gpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.quern.gpu.CudaStatus.check;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/// Memory of one [JCudaGpu].
final class JCudaArena extends Owned<JCudaGpu> implements DeviceArena {
    private static final int PORTABLE = 1;

    private final Arena host = Arena.ofShared();
    private final List<Block> blocks = new ArrayList<>();
    private long bytes;

    /// Memory of the device.
    private static final class Address extends CUdeviceptr {
        long value() {
            return getNativePointer();
        }
    }

    /// Memory of the host.
    private static final class HostAddress extends Pointer {
        long value() {
            return getNativePointer();
        }
    }

    /// How to give something back, with the name of that call.
    private record Block(String call, java.util.function.IntSupplier free) {}

    JCudaArena(JCudaGpu gpu) {
        super(gpu);
    }

    @Override
    public synchronized DeviceMemory allocate(long size) {
        use();
        requireSome(size);
        Address address = new Address();
        int status = JCudaDriver.cuMemAlloc(address, size);
        if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
            throw new GpuFault(
                    GpuFault.Kind.OUT_OF_MEMORY,
                    "%s has not enough memory: %,d bytes asked for, %,d of %,d free"
                            .formatted(
                                    gpu, size, gpu.freeBytes(), gpu.properties().memoryBytes()));
        }
        check(status, "cuMemAlloc of %,d bytes".formatted(size));
        blocks.add(new Block("cuMemFree", () -> JCudaDriver.cuMemFree(address)));
        bytes += size;
        return new DeviceMemory(address.value(), size);
    }

    @Override
    public synchronized MemorySegment allocateHost(long size) {
        use();
        requireSome(size);
        HostAddress address = new HostAddress();
        int status = JCudaDriver.cuMemHostAlloc(address, size, PORTABLE);
        if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
            throw new GpuFault(
                    GpuFault.Kind.OUT_OF_MEMORY,
                    "the host has not enough memory that can be pinned: %,d bytes asked for".formatted(size));
        }
        check(status, "cuMemHostAlloc of %,d bytes".formatted(size));
        blocks.add(new Block("cuMemFreeHost", () -> JCudaDriver.cuMemFreeHost(address)));
        bytes += size;
        return MemorySegment.ofAddress(address.value()).reinterpret(size, host, null);
    }

    @Override
    public synchronized DeviceMemory open(byte[] handle, long size) {
        use();
        if (handle.length != DriverCalls.IPC_HANDLE_BYTES) {
            throw new GpuException(
                    "a handle of memory has %d bytes: got %d".formatted(DriverCalls.IPC_HANDLE_BYTES, handle.length));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(JAVA_LONG);
            check(DriverCalls.openHandle(address, arena.allocateFrom(JAVA_BYTE, handle)), "cuIpcOpenMemHandle");
            long value = address.get(JAVA_LONG, 0);
            blocks.add(new Block("cuIpcCloseMemHandle", () -> DriverCalls.closeHandle(value)));
            return new DeviceMemory(value, size);
        }
    }

    private static void requireSome(long size) {
        if (size < 1) {
            throw new GpuException("an allocation has at least 1 byte: got " + size);
        }
    }

    @Override
    String describe() {
        return "an arena of %,d bytes".formatted(bytes);
    }

    @Override
    void free() {
        host.close();
        GpuException failure = null;
        for (Block block : blocks.reversed()) {
            int status = block.free.getAsInt();
            if (status != CUresult.CUDA_SUCCESS && failure == null) {
                failure = CudaStatus.failure(status, block.call);
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
