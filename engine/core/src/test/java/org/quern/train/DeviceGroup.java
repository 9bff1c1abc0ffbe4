package org.quern.train;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.quern.collective.Communicator;
import org.quern.collective.ElementType;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuStream;

/// Collectives on the memory of GPUs, on a queue of their own as NCCL's are: copied to the host for a
/// communicator there, and back.
record DeviceGroup(Communicator host, Gpu gpu) implements Communicator {
    @Override
    public int rank() {
        return host.rank();
    }

    @Override
    public int world() {
        return host.world();
    }

    @Override
    public Place place() {
        return Place.DEVICE;
    }

    private void onHost(MemorySegment data, Consumer<MemorySegment> collective) {
        DeviceMemory memory = new DeviceMemory(data.address(), data.byteSize());
        try (GpuStream stream = gpu.stream();
                DeviceArena arena = gpu.arena()) {
            MemorySegment copy = arena.allocateHost(data.byteSize());
            stream.copyToHost(memory, copy);
            stream.synchronize();
            collective.accept(copy);
            stream.copyToDevice(copy, memory);
            stream.synchronize();
        }
    }

    @Override
    public void allReduce(MemorySegment data, ElementType type) {
        onHost(data, copy -> host.allReduce(copy, type));
    }

    @Override
    public void reduceScatter(MemorySegment data, long[] bounds, ElementType type) {
        onHost(data, copy -> host.reduceScatter(copy, bounds, type));
    }

    @Override
    public void allGather(MemorySegment data, long[] bounds, ElementType type) {
        onHost(data, copy -> host.allGather(copy, bounds, type));
    }

    @Override
    public void broadcast(MemorySegment data, int root) {
        onHost(data, copy -> host.broadcast(copy, root));
    }

    @Override
    public void barrier() {
        host.barrier();
    }

    @Override
    public void abort(String reason) {
        host.abort(reason);
    }

    @Override
    public void close() {
        host.close();
    }
}
