package org.quern.gpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.quern.ptx.emulator.Emulator;

/// A stream of an [EmulatedGpu]: work is done when it is queued.
final class EmulatedStream extends EmulatedGpu.Item implements GpuStream {
    private final Emulator emulator;
    /// What is captured; null if nothing is.
    private List<Runnable> captured;

    EmulatedStream(EmulatedGpu gpu) {
        super(gpu);
        emulator = gpu.emulator();
    }

    private void perform(Runnable work) {
        synchronized (gpu) {
            use();
            if (captured == null) {
                work.run();
            } else {
                captured.add(work);
            }
        }
    }

    @Override
    public void launch(Launch launch) {
        EmulatedModule.Function function = (EmulatedModule.Function) launch.function();
        if (captured == null) {
            perform(() -> gpu.run(function, launch.grid(), launch.block(), launch.sharedBytes(), launch.arguments()));
            return;
        }
        // A graph keeps the arguments as they are now.
        MemorySegment arguments =
                Arena.ofAuto().allocate(launch.arguments().byteSize(), 16).copyFrom(launch.arguments());
        perform(() -> gpu.run(function, launch.grid(), launch.block(), launch.sharedBytes(), arguments));
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceMemory target) {
        requireNative(source);
        requireSame(source.byteSize(), target.bytes());
        perform(() -> emulator.write(target.address(), source));
    }

    @Override
    public void copyToHost(DeviceMemory source, MemorySegment target) {
        requireNative(target);
        requireSame(source.bytes(), target.byteSize());
        perform(() -> emulator.read(source.address(), target));
    }

    @Override
    public void copy(DeviceMemory source, DeviceMemory target) {
        requireSame(source.bytes(), target.bytes());
        perform(() -> emulator.copy(source.address(), target.address(), source.bytes()));
    }

    private static void requireNative(MemorySegment host) {
        if (!host.isNative()) {
            throw new GpuException("the device copies only from and to memory off the heap");
        }
    }

    private static void requireSame(long source, long target) {
        if (source != target) {
            throw new GpuException(
                    "a copy's source and target have the same size: got %,d and %,d bytes".formatted(source, target));
        }
    }

    @Override
    public void fill(DeviceMemory target, byte value) {
        perform(() -> emulator.fill(target.address(), target.bytes(), value));
    }

    @Override
    public void record(GpuEvent event) {
        perform(((EmulatedEvent) event)::mark);
    }

    @Override
    public void await(GpuEvent event) {
        use();
    }

    @Override
    public GpuGraph capture(Runnable work) {
        use();
        if (captured != null) {
            throw new GpuException("a stream captures one graph at a time");
        }
        captured = new ArrayList<>();
        try {
            work.run();
            return new EmulatedGraph(gpu, List.copyOf(captured));
        } finally {
            captured = null;
        }
    }

    @Override
    public void replay(GpuGraph graph) {
        perform(((EmulatedGraph) graph)::replay);
    }

    @Override
    public void synchronize() {
        use();
        if (captured != null) {
            throw new GpuException("work that is captured cannot be waited for: it is not done");
        }
    }

    @Override
    String describe() {
        return "a stream";
    }
}
