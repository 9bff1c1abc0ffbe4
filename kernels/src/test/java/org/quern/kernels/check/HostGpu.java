package org.quern.kernels.check;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuEvent;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuGraph;
import org.quern.gpu.GpuModule;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.ModuleImage;

/// A GPU without kernels: memory of the host, work done at once, and faults on demand.
final class HostGpu implements Gpu {
    private final NavigableMap<Long, MemorySegment> allocations = new TreeMap<>();
    private long nextAddress = 1 << 20;
    private boolean broken;

    /// From now on all calls fail, as after an illegal address.
    void breakDown() {
        broken = true;
    }

    private void check() {
        if (broken) {
            throw new GpuException("CUDA_ERROR_ILLEGAL_ADDRESS");
        }
    }

    private MemorySegment memory(DeviceMemory memory) {
        check();
        var entry = allocations.floorEntry(memory.address());
        return entry.getValue().asSlice(memory.address() - entry.getKey(), memory.bytes());
    }

    @Override
    public DeviceProperties properties() {
        return new DeviceProperties("host", 8, 0, 1, 1 << 30, 1 << 16, 1 << 16, 1 << 16, 2048, 32, 1 << 20, 12000);
    }

    @Override
    public DeviceArena arena() {
        check();
        return new DeviceArena() {
            @Override
            public DeviceMemory allocate(long bytes) {
                check();
                DeviceMemory memory = new DeviceMemory(nextAddress, bytes);
                allocations.put(nextAddress, Arena.ofAuto().allocate(bytes));
                nextAddress += bytes + 4096 & -256;
                return memory;
            }

            @Override
            public MemorySegment allocateHost(long bytes) {
                return Arena.ofAuto().allocate(bytes);
            }

            @Override
            public DeviceMemory open(byte[] handle, long bytes) {
                throw new UnsupportedOperationException();
            }

            @Override
            public void close() {
                check();
            }
        };
    }

    @Override
    public GpuStream stream() {
        check();
        return new GpuStream() {
            @Override
            public void launch(Launch launch) {
                throw new UnsupportedOperationException();
            }

            @Override
            public void copyToDevice(MemorySegment source, DeviceMemory target) {
                memory(target).copyFrom(source);
            }

            @Override
            public void copyToHost(DeviceMemory source, MemorySegment target) {
                target.copyFrom(memory(source));
            }

            @Override
            public void copy(DeviceMemory source, DeviceMemory target) {
                memory(target).copyFrom(memory(source));
            }

            @Override
            public void fill(DeviceMemory target, byte value) {
                memory(target).fill(value);
            }

            @Override
            public void record(GpuEvent event) {
                throw new UnsupportedOperationException();
            }

            @Override
            public void await(GpuEvent event) {
                throw new UnsupportedOperationException();
            }

            @Override
            public GpuGraph capture(Runnable work) {
                throw new UnsupportedOperationException();
            }

            @Override
            public void replay(GpuGraph graph) {
                throw new UnsupportedOperationException();
            }

            @Override
            public void synchronize() {
                check();
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public GpuEvent event() {
        throw new UnsupportedOperationException();
    }

    @Override
    public GpuModule load(ModuleImage image) {
        throw new UnsupportedOperationException();
    }

    @Override
    public long freeBytes() {
        return 1 << 30;
    }

    @Override
    public void synchronize() {
        check();
    }

    @Override
    public boolean canAccess(Gpu peer) {
        return false;
    }

    @Override
    public void enableAccess(Gpu peer) {
        throw new UnsupportedOperationException();
    }

    @Override
    public byte[] exportHandle(DeviceMemory memory) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {
        check();
    }
}
