package org.quern.gpu;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.NavigableMap;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.quern.ptx.emulator.Emulator;
import org.quern.ptx.emulator.LaunchConfiguration;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Statistics;
import org.quern.ptx.emulator.Trace;

/// A GPU that exists in the JVM: PTX runs in an [Emulator], which checks every access.
///
/// All work is done on threads that call it. As [Options.Copies] says, a stream does it as soon as it is queued, so
/// that whatever a kernel does wrong is thrown where it is launched; or when somebody waits, so that a host that
/// forgets to wait finds memory that is not yet written, and overwrites what is not yet read; or at some time
/// between. Time on this device is counted in instructions, a nanosecond each.
public final class EmulatedGpu extends OwningGpu {
    private static final long GIBIBYTE = 1L << 30;

    private final Emulator emulator;
    private final DeviceProperties properties;
    private Consumer<Statistics> observer = _ -> {};
    /// Memory of the host that copies use without a detour: addresses and what follows the last byte.
    private final NavigableMap<Long, Long> pinned = new TreeMap<>();
    private final SplittableRandom random;
    private long launchesUntilFailure;
    private long launchesUntilLoss;
    private long allocationsUntilFailure;
    private long allocations;
    private boolean lost;
    private long instructions;

    /// An `sm_80` with 80 GiB, everything done in order.
    public EmulatedGpu() {
        this(Options.DEFAULT);
    }

    public EmulatedGpu(Options options) {
        this(options, 80 * GIBIBYTE);
    }

    /// @param memoryBytes that it pretends to have; what is written takes about five times its size on the heap
    public EmulatedGpu(Options options, long memoryBytes) {
        emulator = new Emulator(options);
        random = new SplittableRandom(options.seed());
        Options.Device device = options.device();
        properties = new DeviceProperties(
                "emulated sm_" + device.architecture(),
                device.architecture() / 10,
                device.architecture() % 10,
                device.multiprocessors(),
                memoryBytes,
                device.sharedBytesPerBlock(),
                device.sharedBytesPerBlock() + device.sharedBytesReserved(),
                65_536,
                2048,
                32,
                40L << 20,
                13_000);
    }

    /// Calls back after each launch. The default does nothing.
    public synchronized void observe(Consumer<Statistics> observer) {
        this.observer = observer;
    }

    /// Lets somebody see what warps run; null for nobody.
    public synchronized void trace(Trace trace) {
        emulator.trace(trace);
    }

    /// Lets a launch fail, to test what handles it: the next is number 1.
    public synchronized void failLaunch(long number) {
        launchesUntilFailure = number;
    }

    /// Lets the device be lost at a launch: from there on nothing works.
    public synchronized void loseAtLaunch(long number) {
        launchesUntilLoss = number;
    }

    /// As [#failLaunch], for memory.
    public synchronized void failAllocation(long number) {
        allocationsUntilFailure = number;
    }

    /// Allocations so far, of the device's memory and of pinned memory.
    public synchronized long allocations() {
        return allocations;
    }

    Emulator emulator() {
        return emulator;
    }

    @Override
    String name() {
        return "the emulated GPU";
    }

    @Override
    void enter() {
        if (lost) {
            throw new GpuFault(GpuFault.Kind.FAILED, "the emulated GPU is lost");
        }
    }

    @Override
    void release() {}

    @Override
    public DeviceProperties properties() {
        return properties;
    }

    @Override
    public DeviceArena arena() {
        use();
        return add(new EmulatedArena(this));
    }

    @Override
    public GpuStream stream() {
        use();
        return add(new EmulatedStream(this));
    }

    @Override
    public GpuEvent event() {
        use();
        return add(new EmulatedEvent(this));
    }

    @Override
    public GpuModule load(ModuleImage image) {
        use();
        return add(EmulatedModule.load(this, image));
    }

    @Override
    public synchronized long freeBytes() {
        return properties.memoryBytes() - emulator.allocatedBytes();
    }

    @Override
    public synchronized void synchronize() {
        use();
        finish();
    }

    /// Does all that is queued.
    synchronized void finish() {
        streams().forEach(EmulatedStream::finish);
    }

    private List<EmulatedStream> streams() {
        return open().stream()
                .filter(EmulatedStream.class::isInstance)
                .map(EmulatedStream.class::cast)
                .toList();
    }

    /// Does what is due after work was queued.
    synchronized void progress() {
        switch (emulator.options().copies()) {
            case EAGER -> finish();
            case LAZY -> {}
            case RANDOM -> {
                List<EmulatedStream> streams = streams();
                while (random.nextBoolean()) {
                    streams.get(random.nextInt(streams.size())).step();
                }
            }
        }
    }

    synchronized void pin(MemorySegment memory) {
        allocations++;
        pinned.put(memory.address(), memory.address() + memory.byteSize());
    }

    synchronized void unpin(MemorySegment memory) {
        pinned.remove(memory.address());
    }

    synchronized boolean isPinned(MemorySegment memory) {
        var below = pinned.floorEntry(memory.address());
        return below != null && memory.address() + memory.byteSize() <= below.getValue();
    }

    /// Always false.
    @Override
    public boolean canAccess(Gpu peer) {
        return false;
    }

    @Override
    public void enableAccess(Gpu peer) {
        throw new GpuException("an emulated GPU cannot reach the memory of another");
    }

    @Override
    public byte[] exportHandle(DeviceMemory memory) {
        throw new GpuException("memory of an emulated GPU cannot be opened by another process");
    }

    /// Memory for an arena.
    synchronized long allocate(long bytes) {
        use();
        if (bytes < 1) {
            throw new GpuException("an allocation has at least 1 byte: got " + bytes);
        }
        if (allocationsUntilFailure > 0 && --allocationsUntilFailure == 0 || bytes > freeBytes()) {
            throw new GpuFault(
                    GpuFault.Kind.OUT_OF_MEMORY,
                    "not enough memory on the emulated GPU: %,d bytes asked for, %,d free"
                            .formatted(bytes, freeBytes()));
        }
        allocations++;
        return emulator.allocate(bytes);
    }

    /// Runs a kernel.
    ///
    /// @param arguments as they were when it was queued
    synchronized void run(EmulatedModule.Function function, Launch launch, MemorySegment arguments) {
        use();
        if (launchesUntilFailure > 0 && --launchesUntilFailure == 0) {
            throw new GpuFault(GpuFault.Kind.FAILED, function.name() + " was made to fail");
        }
        if (launchesUntilLoss > 0 && --launchesUntilLoss == 0) {
            lost = true;
            enter();
        }
        LaunchConfiguration configuration =
                new LaunchConfiguration(launch.grid(), launch.block(), launch.sharedBytes(), launch.isProgrammatic());
        Statistics statistics = emulator.launch(function.module(), function.entry(), configuration, arguments);
        instructions += statistics.instructionCount();
        observer.accept(statistics);
    }

    /// The device's clock.
    synchronized long nanoseconds() {
        return instructions;
    }

    @Override
    public String toString() {
        return properties.name();
    }
}
