package org.quern.kernels.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.kernels.bench.KernelBenchmark.Setup;
import org.quern.kernels.check.Bf16;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelDevice;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.kernels.cuda.ProductPlans;
import org.quern.ptx.KernelVariant;

/// On the emulator a nanosecond is an instruction, so that times are exact.
class KernelBenchTest {
    private final EmulatedGpu gpu = new EmulatedGpu();
    private final KernelDevice device = new KernelDevice(gpu, LoadedKernels.asText(gpu));
    private final KernelBench bench = new KernelBench(device, 1e-5, who -> !who.equals("unwanted"));
    private final List<DeviceMemory> targets = new ArrayList<>();

    @AfterEach
    void close() {
        bench.close();
        device.close();
    }

    /// Writes the first 512 bytes of a buffer of 16 MiB.
    private GpuKernel fill(KernelLibrary kernels, BenchmarkMemory memory) {
        DeviceMemory target = memory.output(16 << 20);
        targets.add(target);
        Launch launch = new Launch(
                kernels.function(KernelVariant.of("fill.sm_80", "bytes", 4), "fill"),
                Dim.of(1),
                Dim.of(32),
                0,
                target,
                128L,
                7);
        return stream -> stream.launch(launch);
    }

    private static Rival rival(DoubleFunction<Map<String, Timing>> times) {
        return new Rival() {
            @Override
            public String name() {
                return "PyTorch";
            }

            @Override
            public Map<String, Timing> time(KernelBenchmark benchmark, double seconds) {
                return times.apply(seconds);
            }
        };
    }

    private static GpuKernel refuse(KernelLibrary kernels, BenchmarkMemory memory) {
        throw new GpuException("no such size");
    }

    private static KernelBenchmark benchmark(Setup quern, Map<String, Setup> libraries) {
        return new KernelBenchmark("fill", "fill", 0, 512, quern, libraries, Map.of());
    }

    @Test
    void aLaunchTakesTheSameTimeInEachRoundOfTwoTurns() {
        KernelBenchmark fill = benchmark(this::fill, Map.of());
        Timing timing = bench.time(fill, List.of()).quern().orElseThrow();
        assertThat(timing.seconds()).hasSize(14);
        assertThat(timing.median()).isCloseTo(EmulatedBench.count(fill).instructions() * 1e-9, within(1e-15));
        assertThat(timing.spread()).isCloseTo(0, within(1e-6));
    }

    @Test
    void launchesGoRoundAmongMoreThanTwiceTheCache() {
        bench.time(benchmark(this::fill, Map.of()), List.of());
        // The cache has 40 MiB; each turn has buffers of its own.
        assertThat(targets).hasSize(2 * 6);
        assertThat(targets.subList(0, 6)).doesNotHaveDuplicates();
        assertThat(gpu.freeBytes()).isEqualTo(gpu.properties().memoryBytes());
    }

    @Test
    void librariesAndRivalsAreTimedInTurns() {
        Rival rival = rival(seconds -> Map.of("PyTorch flash", new Timing(List.of(seconds))));
        KernelTiming timing =
                bench.time(benchmark(this::fill, Map.of("cuBLAS", this::fill, "unwanted", this::fill)), List.of(rival));
        assertThat(timing.others()).containsOnlyKeys("cuBLAS", "PyTorch flash");
        assertThat(timing.others().get("PyTorch flash").seconds()).containsExactly(5e-6, 5e-6);
        assertThat(timing.refusals()).isEmpty();
    }

    @Test
    void whoRefusesIsLeftOut() {
        Rival rival = rival(_ -> {
            throw new GpuException("no kernel");
        });
        KernelTiming timing =
                bench.time(benchmark(KernelBenchTest::refuse, Map.of("cuBLAS", this::fill)), List.of(rival));
        assertThat(timing.quern()).isEmpty();
        assertThat(timing.others()).containsOnlyKeys("cuBLAS");
        assertThat(timing.refusals())
                .containsOnly(Map.entry("Quern", "no such size"), Map.entry("PyTorch", "no kernel"));
    }

    @Test
    void theFastestProductIsTheCeiling() {
        Rival rival = rival(_ -> Map.of("PyTorch mm", new Timing(List.of(1e-9)), "fp8", new Timing(List.of(1e-10))));
        Map<String, Setup> libraries = Map.of("wgmma", this::fill);
        KernelBenchmark product = benchmark(KernelBenchTest::refuse, libraries);
        assertThat(bench.fastest(product, List.of(rival)).getKey()).isEqualTo("PyTorch mm");
        assertThat(bench.fastest(product, List.of()).getKey()).isEqualTo("wgmma");
        KernelBenchmark nobodys = benchmark(KernelBenchTest::refuse, Map.of());
        assertThatThrownBy(() -> bench.fastest(nobodys, List.of()))
                .isInstanceOf(GpuException.class)
                .hasMessage("nobody can multiply: {Quern=no such size}");
    }

    @Test
    void buffersAreFullOfRandomNumbers() {
        try (DeviceArena arena = gpu.arena();
                GpuStream stream = gpu.stream()) {
            BenchmarkMemory memory = new BenchmarkMemory(arena, stream, 1);
            short[] halves = read(stream, memory.bf16(3_000_001, 1)).toArray(ValueLayout.JAVA_SHORT);
            assertThat(halves).hasSize(3_000_001);
            assertThat(halves[3_000_000]).isEqualTo(halves[3_000_000 % (1 << 20)]);
            double squares = 0;
            for (short half : halves) {
                squares += Math.pow(Bf16.value(half), 2);
            }
            assertThat(squares / halves.length).isCloseTo(1, within(0.01));
            int[] ids = read(stream, memory.indices(1000, 10)).toArray(ValueLayout.JAVA_INT);
            assertThat(ids).contains(0, 9).doesNotContain(10);
            assertThat(read(stream, memory.ints(3, 4)).toArray(ValueLayout.JAVA_INT))
                    .containsExactly(3, 4);
            assertThat(memory.allocated()).isEqualTo(2 * 3_000_001 + 4 * 1000 + 8);
        }
    }

    private static MemorySegment read(GpuStream stream, DeviceMemory memory) {
        MemorySegment copy = Arena.ofAuto().allocate(memory.bytes(), Long.BYTES);
        stream.copyToHost(memory, copy);
        stream.synchronize();
        return copy;
    }

    static List<KernelBenchmark> reduced() {
        return BenchmarkCatalog.reduced();
    }

    @ParameterizedTest
    @MethodSource("reduced")
    void everyBenchmarkDoesAtLeastWhatItClaims(KernelBenchmark benchmark) {
        KernelCounts counts = EmulatedBench.count(benchmark);
        assertThat((double) counts.flop()).isGreaterThanOrEqualTo(benchmark.flop());
        assertThat(counts.idealSectors() * 32.0).isGreaterThanOrEqualTo(0.9 * benchmark.bytes());
        assertThat(counts.wavefrontsPerIdeal()).isGreaterThanOrEqualTo(1);
        assertThat(counts.modelledSeconds(DeviceRates.A100, benchmark.bytes(), 1)
                        .values())
                .allMatch(seconds -> seconds >= 0);
    }

    @Test
    void benchmarksHaveNamesOfTheirOwn() {
        assertThat(BenchmarkCatalog.benchmarks(ProductPlans.MODELLED))
                .extracting(KernelBenchmark::name)
                .doesNotHaveDuplicates()
                .allMatch(name -> !name.contains("|"));
    }
}
