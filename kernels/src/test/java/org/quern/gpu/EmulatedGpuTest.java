package org.quern.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.emulator.EmulatorFault;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Options.Copies;
import org.quern.ptx.emulator.Statistics;

class EmulatedGpuTest {
    /// y[i] = y[i] + x.
    private static final String ADD = """
            .version 8.0
            .target sm_80
            .address_size 64
            .visible .entry add(.param .u64 memory, .param .u32 count, .param .f32 value)
            {
            .reg .pred p; .reg .b32 i, b, t, n; .reg .f32 v, x; .reg .b64 y;
            ld.param.u64 y, [memory]; ld.param.u32 n, [count]; ld.param.f32 x, [value];
            mov.u32 b, %ctaid.x; mov.u32 t, %ntid.x; mov.u32 i, %tid.x; mad.lo.u32 i, b, t, i;
            setp.ge.u32 p, i, n; @p ret;
            mad.wide.u32 y, i, 4, y; ld.global.f32 v, [y]; add.f32 v, v, x; st.global.f32 [y], v;
            }
            """;

    private final EmulatedGpu gpu = new EmulatedGpu();
    private final GpuModule module = gpu.load(new ModuleImage("add", ADD, new byte[0]));
    private final DeviceArena arena = gpu.arena();
    private final GpuStream stream = gpu.stream();

    @AfterEach
    void close() {
        module.close();
        stream.close();
        arena.close();
        gpu.close();
    }

    private MemorySegment host(float... values) {
        MemorySegment segment = arena.allocateHost(4L * values.length);
        segment.copyFrom(MemorySegment.ofArray(values));
        return segment;
    }

    private float[] read(DeviceMemory memory) {
        MemorySegment segment = arena.allocateHost(memory.bytes());
        stream.copyToHost(memory, segment);
        stream.synchronize();
        return segment.toArray(ValueLayout.JAVA_FLOAT);
    }

    private Launch add(DeviceMemory memory, float value) {
        int count = (int) memory.bytes() / 4;
        return new Launch(module.function("add"), Dim.of((count + 31) / 32), Dim.of(32), 0, memory, count, value);
    }

    @Test
    void refusesToOvertakeOnOlderDevices() {
        Launch launch = add(arena.allocate(4), 1).programmatic();
        assertThatThrownBy(() -> stream.launch(launch))
                .isInstanceOf(GpuException.class)
                .hasMessage("programmatic launches need compute capability 9.0 and a driver for CUDA 12.3, or later:"
                        + " emulated sm_80 has 8.0 and a driver for CUDA 13.0");
    }

    @Test
    void runsKernelsInOrder() {
        DeviceMemory memory = arena.allocate(12);
        stream.copyToDevice(host(1, 2, 3), memory);
        stream.launch(add(memory, 10));
        DeviceMemory copy = arena.allocate(12);
        stream.copy(memory, copy);
        stream.launch(add(memory, 100));
        assertThat(read(memory)).containsExactly(111, 112, 113);
        assertThat(read(copy)).containsExactly(11, 12, 13);
        stream.fill(memory.slice(4, 4), (byte) 0);
        assertThat(read(memory)).containsExactly(111, 0, 113);
    }

    @Test
    void graphsReplayWhatWasCapturedAsItWas() {
        DeviceMemory memory = arena.allocate(8);
        stream.copyToDevice(host(1, 2), memory);
        Launch launch = add(memory, 10);
        GpuEvent event = gpu.event();
        try (GpuGraph graph = stream.capture(() -> {
            stream.launch(launch);
            launch.set(2, 100f);
            stream.launch(launch);
            stream.record(event);
            stream.await(event);
        })) {
            assertThat(read(memory)).containsExactly(1, 2);
            launch.set(2, 5000f);
            stream.replay(graph);
            stream.replay(graph);
            assertThat(read(memory)).containsExactly(221, 222);
        }
        event.close();
    }

    @Test
    void capturedWorkCannotBeWaitedFor() {
        assertThatThrownBy(() -> stream.capture(stream::synchronize))
                .isInstanceOf(GpuException.class)
                .hasMessageContaining("cannot be waited for");
        assertThatThrownBy(() -> stream.capture(() -> stream.capture(() -> {})))
                .hasMessageContaining("one graph at a time");
        stream.synchronize();
    }

    @Test
    void faultsAreThrownWhereTheKernelIsLaunched() {
        DeviceMemory memory = arena.allocate(12);
        assertThatThrownBy(() -> stream.launch(add(memory, 1)))
                .isInstanceOf(EmulatorFault.class)
                .hasMessageContaining("add, line")
                .hasMessageContaining("where nothing was written");
        stream.copyToDevice(host(1, 2, 3), memory);
        Launch tooLong = add(memory, 1);
        tooLong.set(1, 4);
        assertThatThrownBy(() -> stream.launch(tooLong)).hasMessageContaining("offset 12 of an allocation of 12 bytes");
    }

    @Test
    void copiesAreChecked() {
        DeviceMemory memory = arena.allocate(8);
        assertThatThrownBy(() -> read(memory)).hasMessageContaining("the host reads");
        assertThatThrownBy(() -> stream.copyToDevice(host(1), memory)).hasMessageContaining("got 4 and 8 bytes");
        assertThatThrownBy(() -> stream.copyToDevice(host(1, 2, 3), new DeviceMemory(memory.address(), 12)))
                .hasMessageContaining("the host touches 12 bytes");
        assertThatThrownBy(() -> stream.copyToDevice(MemorySegment.ofArray(new float[2]), memory))
                .hasMessageContaining("off the heap");
        assertThatThrownBy(() -> stream.fill(new DeviceMemory(4096, 4), (byte) 0))
                .isInstanceOf(EmulatorFault.class);
    }

    @Test
    void countsMemory() {
        try (EmulatedGpu small = new EmulatedGpu(Options.DEFAULT, 1000);
                DeviceArena inner = small.arena()) {
            inner.allocate(600);
            assertThat(small.freeBytes()).isEqualTo(400);
            assertThatThrownBy(() -> inner.allocate(401)).hasMessageContaining("401 bytes asked for, 400 free");
            assertThatThrownBy(() -> inner.allocate(0)).hasMessageContaining("at least 1 byte");
            DeviceArena other = small.arena();
            other.allocate(400);
            other.close();
            assertThat(small.freeBytes()).isEqualTo(400);
        }
    }

    @Test
    void closedMemoryIsOutOfBounds() {
        DeviceMemory memory;
        try (DeviceArena brief = gpu.arena()) {
            memory = brief.allocate(4);
            stream.fill(memory, (byte) 0);
        }
        assertThatThrownBy(() -> stream.launch(add(memory, 1))).hasMessageContaining("global memory");
    }

    @Test
    void closingNamesWhatIsLeftOpen() {
        EmulatedGpu leaky = new EmulatedGpu();
        leaky.arena().allocate(1234);
        leaky.stream();
        leaky.event();
        leaky.load(new ModuleImage("some kernels", ADD, new byte[0]));
        assertThatThrownBy(leaky::close)
                .hasMessageContaining("the module some kernels, an event, a stream, an arena of 1,234 bytes");
        leaky.close();
        assertThatThrownBy(leaky::stream).hasMessageContaining("closed");
    }

    @Test
    void whatIsClosedIsNotUsed() {
        GpuStream closed = gpu.stream();
        closed.close();
        closed.close();
        assertThatThrownBy(closed::synchronize).hasMessageContaining("a stream is closed");
    }

    @Test
    void eventsTellTime() {
        DeviceMemory memory = arena.allocate(4);
        stream.fill(memory, (byte) 0);
        try (GpuEvent start = gpu.event();
                GpuEvent end = gpu.event()) {
            assertThatThrownBy(() -> end.millisecondsSince(start)).hasMessageContaining("not both reached");
            stream.record(start);
            stream.launch(add(memory, 1));
            stream.record(end);
            assertThat(end.isReached()).isTrue();
            end.synchronize();
            assertThat(end.millisecondsSince(start)).isPositive();
        }
    }

    @Test
    void saysWhatItIs() {
        assertThat(gpu.properties().architecture()).isEqualTo("sm_80");
        assertThat(gpu.properties().multiprocessors()).isEqualTo(108);
        try (EmulatedGpu hopper = new EmulatedGpu(Options.DEFAULT.withDevice(Options.Device.SM_90))) {
            assertThat(hopper.properties().architecture()).isEqualTo("sm_90");
            assertThat(hopper.properties().sharedBytesPerBlock()).isEqualTo(232_448);
            assertThat(hopper.canAccess(gpu)).isFalse();
            assertThatThrownBy(() -> hopper.enableAccess(gpu)).isInstanceOf(GpuException.class);
        }
    }

    @Test
    void badModulesAreRefused() {
        assertThatThrownBy(() -> gpu.load(new ModuleImage("odd", ADD.replace("add.f32", "add.f99"), new byte[0])))
                .isInstanceOf(GpuException.class)
                .hasMessageStartingWith("odd: ");
        assertThatThrownBy(() -> module.function("subtract")).hasMessageContaining("it has [add]");
    }

    @Test
    void failuresCanBeMade() {
        DeviceMemory memory = arena.allocate(4);
        stream.fill(memory, (byte) 0);
        gpu.failLaunch(2);
        stream.launch(add(memory, 1));
        assertThatThrownBy(() -> stream.launch(add(memory, 1))).hasMessageContaining("add was made to fail");
        stream.launch(add(memory, 1));
        assertThat(read(memory)).containsExactly(2);
        gpu.failAllocation(1);
        assertThatThrownBy(() -> arena.allocate(1)).hasMessageContaining("not enough memory");
        arena.allocate(1);
    }

    @Test
    void launchesCanBeObserved() {
        List<Statistics> seen = new ArrayList<>();
        gpu.observe(seen::add);
        DeviceMemory memory = arena.allocate(256);
        stream.fill(memory, (byte) 0);
        stream.launch(add(memory, 1));
        assertThat(seen).singleElement().satisfies(s -> {
            assertThat(s.kernel()).isEqualTo("add");
            assertThat(s.flops()).isEqualTo(64);
            assertThat(s.bytes()).isEqualTo(512);
        });
    }

    @Test
    void lazyStreamsWorkWhenSomebodyWaits() {
        try (EmulatedGpu lazy = new EmulatedGpu(Options.DEFAULT.withCopies(Copies.LAZY));
                GpuModule kernels = lazy.load(new ModuleImage("add", ADD, new byte[0]));
                DeviceArena memories = lazy.arena();
                GpuStream queue = lazy.stream()) {
            DeviceMemory memory = memories.allocate(8);
            MemorySegment input = memories.allocateHost(8).copyFrom(MemorySegment.ofArray(new float[] {1, 2}));
            MemorySegment output = memories.allocateHost(8);
            Launch launch = new Launch(kernels.function("add"), Dim.of(1), Dim.of(32), 0, memory, 2, 10f);
            queue.copyToDevice(input, memory);
            queue.launch(launch);
            launch.set(2, 1000f);
            queue.copyToHost(memory, output);
            // What is read too early is no number; what is overwritten too early is lost.
            assertThat(output.get(ValueLayout.JAVA_FLOAT, 0)).isNaN();
            input.set(ValueLayout.JAVA_FLOAT, 4, 5);
            queue.synchronize();
            assertThat(output.toArray(ValueLayout.JAVA_FLOAT)).containsExactly(11, 15);
            // Memory that is not pinned is copied before the call returns.
            try (Arena pageable = Arena.ofConfined()) {
                MemorySegment copy = pageable.allocate(8);
                queue.launch(launch);
                queue.copyToHost(memory, copy);
                assertThat(copy.toArray(ValueLayout.JAVA_FLOAT)).containsExactly(1011, 1015);
            }
            launch.set(1, 3);
            queue.launch(launch);
            queue.launch(launch);
            assertThatThrownBy(queue::synchronize).isInstanceOf(EmulatorFault.class);
            queue.synchronize();
        }
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void streamsWaitForEvents(Copies copies) {
        try (EmulatedGpu device = new EmulatedGpu(Options.DEFAULT.withCopies(copies));
                GpuModule kernels = device.load(new ModuleImage("add", ADD, new byte[0]));
                DeviceArena memories = device.arena();
                GpuStream first = device.stream();
                GpuStream second = device.stream();
                GpuEvent filled = device.event();
                GpuEvent added = device.event()) {
            DeviceMemory memory = memories.allocate(400);
            MemorySegment output = memories.allocateHost(400);
            first.fill(memory, (byte) 0);
            first.record(filled);
            second.await(filled);
            second.launch(new Launch(kernels.function("add"), Dim.of(4), Dim.of(32), 0, memory, 100, 7f));
            second.record(added);
            first.await(added);
            first.copyToHost(memory, output);
            first.synchronize();
            assertThat(output.toArray(ValueLayout.JAVA_FLOAT)).containsOnly(7);
            assertThat(added.isReached()).isTrue();
            assertThat(added.millisecondsSince(filled)).isPositive();
        }
    }

    @Test
    void forgottenEventsAreNoticed() {
        try (EmulatedGpu lazy = new EmulatedGpu(Options.DEFAULT.withCopies(Copies.LAZY));
                GpuModule kernels = lazy.load(new ModuleImage("add", ADD, new byte[0]));
                DeviceArena memories = lazy.arena();
                GpuStream first = lazy.stream();
                GpuStream second = lazy.stream()) {
            DeviceMemory memory = memories.allocate(4);
            first.fill(memory, (byte) 0);
            second.launch(new Launch(kernels.function("add"), Dim.of(1), Dim.of(32), 0, memory, 1, 7f));
            assertThatThrownBy(second::synchronize).hasMessageContaining("where nothing was written");
        }
    }

    @Test
    void whoAsksForAnEventAgainAndAgainGetsIt() {
        try (EmulatedGpu lazy = new EmulatedGpu(Options.DEFAULT.withCopies(Copies.LAZY));
                DeviceArena memories = lazy.arena();
                GpuStream queue = lazy.stream();
                GpuEvent event = lazy.event()) {
            assertThat(event.isReached()).isTrue();
            queue.fill(memories.allocate(4), (byte) 0);
            queue.record(event);
            assertThat(event.isReached()).isFalse();
            assertThatThrownBy(() -> event.millisecondsSince(event)).hasMessageContaining("not both reached");
            assertThat(event.isReached()).isTrue();
            queue.record(event);
            lazy.synchronize();
            assertThat(event.isReached()).isTrue();
        }
    }

    @Test
    void severalThreadsMayUseIt() throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        List<Throwable> failures = java.util.Collections.synchronizedList(new ArrayList<>());
        for (int t = 0; t < 4; t++) {
            int value = t;
            threads.add(Thread.ofPlatform().start(() -> {
                try (DeviceArena own = gpu.arena();
                        GpuStream queue = gpu.stream();
                        Arena hosts = Arena.ofConfined()) {
                    DeviceMemory memory = own.allocate(400);
                    queue.fill(memory, (byte) 0);
                    for (int i = 0; i < 20; i++) {
                        queue.launch(add(memory, value));
                    }
                    MemorySegment host = hosts.allocate(400);
                    queue.copyToHost(memory, host);
                    assertThat(host.toArray(ValueLayout.JAVA_FLOAT)).containsOnly(20f * value);
                } catch (RuntimeException | AssertionError e) {
                    failures.add(e);
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
    }
}
