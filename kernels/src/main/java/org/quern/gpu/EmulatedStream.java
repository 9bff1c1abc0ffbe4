package org.quern.gpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.quern.ptx.emulator.Emulator;

/// A stream of an [EmulatedGpu].
final class EmulatedStream extends Owned<EmulatedGpu> implements GpuStream {
    /// What the target of a copy holds until the copy is done: NaN, or -1.
    private static final byte POISON = (byte) 0xff;

    private final Emulator emulator;
    private final Queue<Runnable> queue = new ArrayDeque<>();
    /// Work that was ever queued, and that was done.
    private long queued;
    private long done;
    /// What is queued now; null if nobody says.
    private String name;
    /// What is captured; null if nothing is.
    private List<Runnable> captured;

    EmulatedStream(EmulatedGpu gpu) {
        super(gpu);
        emulator = gpu.emulator();
    }

    /// Queues work.
    ///
    /// @param waits whether the host waits for it
    private void add(Runnable unnamed, boolean waits) {
        synchronized (gpu) {
            use();
            Runnable work = withName(unnamed);
            if (captured != null) {
                captured.add(work);
                return;
            }
            queue.add(work);
            queued++;
            if (waits) {
                finish(queued);
            } else {
                gpu.progress();
            }
        }
    }

    private Runnable withName(Runnable work) {
        String current = name;
        return current == null
                ? work
                : () -> {
                    try {
                        work.run();
                    } catch (GpuFault e) {
                        throw e.at(current);
                    }
                };
    }

    @Override
    public void named(String name, Runnable work) {
        this.name = name;
        try {
            work.run();
        } finally {
            this.name = null;
        }
    }

    /// Does what was queued first; false if nothing is.
    boolean step() {
        Runnable work = queue.poll();
        if (work == null) {
            return false;
        }
        try {
            work.run();
        } catch (RuntimeException e) {
            done += queue.size();
            queue.clear();
            throw e;
        } finally {
            done++;
        }
        return true;
    }

    /// Does work until so much is done.
    void finish(long position) {
        while (done < position && step()) {
            // All is in the condition.
        }
    }

    void finish() {
        finish(queued);
    }

    /// How much was queued so far.
    long position() {
        return queued;
    }

    boolean isDone(long position) {
        return done >= position;
    }

    @Override
    public void launch(Launch launch) {
        if (launch.isProgrammatic()) {
            gpu.properties().requireProgrammaticLaunches();
        }
        EmulatedModule.Function function = (EmulatedModule.Function) launch.function();
        // The kernel gets the arguments as they are now.
        MemorySegment arguments =
                Arena.ofAuto().allocate(launch.arguments().byteSize(), 16).copyFrom(launch.arguments());
        add(() -> gpu.run(function, launch, arguments), false);
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceMemory target) {
        requireNative(source);
        requireSame(source.byteSize(), target.bytes());
        add(() -> emulator.write(target.address(), source), !gpu.isPinned(source));
    }

    @Override
    public void copyToHost(DeviceMemory source, MemorySegment target) {
        requireNative(target);
        requireSame(source.bytes(), target.byteSize());
        synchronized (gpu) {
            if (captured == null && gpu.isPinned(target)) {
                target.fill(POISON);
            }
            add(() -> emulator.read(source.address(), target), !gpu.isPinned(target));
        }
    }

    @Override
    public void copy(DeviceMemory source, DeviceMemory target) {
        requireSame(source.bytes(), target.bytes());
        add(() -> emulator.copy(source.address(), target.address(), source.bytes()), false);
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
        add(() -> emulator.fill(target.address(), target.bytes(), value), false);
    }

    @Override
    public void record(GpuEvent event) {
        EmulatedEvent mark = (EmulatedEvent) event;
        synchronized (gpu) {
            if (captured == null) {
                mark.place(this, queued + 1);
            }
            add(mark::reach, false);
        }
    }

    @Override
    public void await(GpuEvent event) {
        synchronized (gpu) {
            add(((EmulatedEvent) event).arrival(), false);
        }
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
            return gpu.add(new EmulatedGraph(gpu, List.copyOf(captured)));
        } finally {
            captured = null;
        }
    }

    @Override
    public void replay(GpuGraph graph) {
        add(((EmulatedGraph) graph)::replay, false);
    }

    @Override
    public void synchronize() {
        synchronized (gpu) {
            use();
            if (captured != null) {
                throw new GpuException("work that is captured cannot be waited for: it is not done");
            }
            finish();
        }
    }

    @Override
    String describe() {
        return "a stream";
    }

    @Override
    void free() {
        synchronized (gpu) {
            finish();
        }
    }
}
