package org.quern.gpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Memory of an [EmulatedGpu].
final class EmulatedArena extends Owned<EmulatedGpu> implements DeviceArena {
    private final Arena host = Arena.ofShared();
    private final List<Long> addresses = new ArrayList<>();
    private final List<MemorySegment> pinned = new ArrayList<>();
    private long bytes;

    EmulatedArena(EmulatedGpu gpu) {
        super(gpu);
    }

    @Override
    public DeviceMemory allocate(long size) {
        synchronized (gpu) {
            use();
            long address = gpu.allocate(size);
            addresses.add(address);
            bytes += size;
            return new DeviceMemory(address, size);
        }
    }

    @Override
    public MemorySegment allocateHost(long size) {
        synchronized (gpu) {
            use();
            if (size < 1) {
                throw new GpuException("an allocation has at least 1 byte: got " + size);
            }
            bytes += size;
            MemorySegment memory = host.allocate(size, 256);
            gpu.pin(memory);
            pinned.add(memory);
            return memory;
        }
    }

    @Override
    public DeviceMemory open(byte[] handle, long size) {
        throw new GpuException("an emulated GPU cannot open memory of another process");
    }

    @Override
    String describe() {
        return "an arena of %,d bytes".formatted(bytes);
    }

    @Override
    void free() {
        synchronized (gpu) {
            gpu.finish();
            pinned.forEach(gpu::unpin);
            addresses.forEach(gpu.emulator()::free);
            host.close();
        }
    }
}
