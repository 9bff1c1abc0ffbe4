package org.quern.kernels.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuModule;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.gpu.ModuleImage;

/// Small kernels of which one can say how long they take.
class LatencyModelTest {
    private static final int LATENCY = 1000;
    /// What else a kernel of a few instructions takes.
    private static final long OVERHEAD = 100;
    private static final int THREADS = 64;
    private static final int BYTES = 1 << 20;

    @Test
    void loadsThatWaitForEachOtherFollowEachOther() {
        LaunchTrace launch = trace(1, """
                ld.global.u32 %x, [%at];
                add.u64 %at, %at, 4096;
                cvt.u64.u32 %next, %x;
                add.u64 %at, %at, %next;
                ld.global.u32 %x, [%at];
                add.u64 %at, %at, 4096;
                cvt.u64.u32 %next, %x;
                add.u64 %at, %at, %next;
                ld.global.u32 %x, [%at];
                add.u32 %y, %x, 1;
                """);
        assertThat(LatencyModel.clocks(launch, 1, LATENCY)).isCloseTo(3 * LATENCY, within(OVERHEAD));
    }

    @Test
    void loadsThatWaitForNothingGoTogether() {
        LaunchTrace launch = trace(1, """
                ld.global.u32 %x, [%at];
                ld.global.u32 %y, [%at+4096];
                ld.global.u32 %z, [%at+8192];
                add.u32 %x, %x, %y;
                add.u32 %x, %x, %z;
                """);
        assertThat(LatencyModel.clocks(launch, 1, LATENCY)).isCloseTo(LATENCY, within(OVERHEAD));
    }

    @Test
    void whatWasReadComesFromACache() {
        LaunchTrace launch = trace(1, """
                ld.global.u32 %x, [%at];
                cvt.u64.u32 %next, %x;
                add.u64 %at, %at, %next;
                ld.global.u32 %x, [%at];
                add.u32 %y, %x, 1;
                """);
        assertThat(LatencyModel.clocks(launch, 1, LATENCY)).isCloseTo(LATENCY + 38, within(OVERHEAD));
    }

    @Test
    void blocksThatFitRunBesideEachOther() {
        LaunchTrace launch = trace(6, """
                ld.global.u32 %x, [%at];
                add.u32 %y, %x, 1;
                """);
        assertThat(LatencyModel.clocks(launch, 6, LATENCY)).isCloseTo(LATENCY, within(OVERHEAD));
        assertThat(LatencyModel.clocks(launch, 2, LATENCY)).isCloseTo(3 * LATENCY, within(3 * OVERHEAD));
        assertThat(LatencyModel.clocks(launch, 1, LATENCY)).isCloseTo(6 * LATENCY, within(6 * OVERHEAD));
    }

    @Test
    void aBarrierWaitsForTheLastWarp() {
        LaunchTrace launch = trace(1, """
                setp.lt.u32 %first, %thread, 32;
                mov.u32 %x, 0;
                @%first ld.global.u32 %x, [%at];
                @%first add.u32 %x, %x, 1;
                bar.sync 0;
                @!%first ld.global.u32 %y, [%at+8192];
                @!%first add.u32 %y, %y, 1;
                """);
        assertThat(LatencyModel.clocks(launch, 1, LATENCY)).isCloseTo(2 * LATENCY, within(OVERHEAD));
    }

    @Test
    void specialFunctionsTakeTheirUnit() {
        int count = 50;
        LaunchTrace launch = trace(4, "ex2.approx.f32 %f, %g;\n".repeat(count));
        // 2 warps a scheduler: each waits for the result before, as they write the same register.
        assertThat(LatencyModel.clocks(launch, 4, LATENCY)).isCloseTo(18L * count, within(OVERHEAD));
        // 8 warps: the unit takes one each 8 clocks.
        assertThat(LatencyModel.clocks(trace(16, "ex2.approx.f32 %f, %g;\n".repeat(count)), 16, LATENCY))
                .isCloseTo(8L * count * 8, within(2 * OVERHEAD));
    }

    /// Runs a kernel in which each thread has an element of zeros.
    private static LaunchTrace trace(int blocks, String body) {
        String ptx = """
                .version 8.0
                .target sm_80
                .address_size 64
                .visible .entry kernel(.param .u64 from)
                .maxntid 64, 1, 1
                {
                    .reg .pred %first;
                    .reg .b32 %thread, %block, %x, %y, %z;
                    .reg .b64 %at, %next;
                    .reg .f32 %f, %g;
                    mov.f32 %g, 0f3F800000;
                    mov.u32 %y, 0;
                    mov.u32 %thread, %tid.x;
                    mov.u32 %block, %ctaid.x;
                    ld.param.u64 %at, [from];
                    cvta.to.global.u64 %at, %at;
                    mad.wide.u32 %at, %thread, 4, %at;
                    mad.wide.u32 %at, %block, 65536, %at;
                """ + body + "ret;\n}\n";
        List<LaunchTrace> launches = new ArrayList<>();
        try (EmulatedGpu gpu = new EmulatedGpu();
                DeviceArena arena = gpu.arena();
                GpuStream stream = gpu.stream();
                GpuModule module = gpu.load(new ModuleImage("test", ptx, new byte[0]))) {
            DeviceMemory memory = arena.allocate(BYTES);
            stream.fill(memory, (byte) 0);
            stream.synchronize();
            gpu.trace(LaunchTrace.into(launches, _ -> true));
            stream.launch(new Launch(module.function("kernel"), Dim.of(blocks), Dim.of(THREADS), 0, memory));
            stream.synchronize();
        }
        assertThat(launches).hasSize(1);
        assertThat(launches.getFirst().blocks()).hasSize(blocks);
        return launches.getFirst();
    }
}
