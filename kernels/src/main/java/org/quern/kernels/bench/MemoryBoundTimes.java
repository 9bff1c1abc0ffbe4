package org.quern.kernels.bench;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.ExampleDevices;
import org.quern.gpu.GpuFunction;
import org.quern.gpu.GpuStream;
import org.quern.kernels.bench.ModelledTimes.Limit;
import org.quern.kernels.bench.StreamingBenchmarks.Share;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.ptx.Assembler;
import org.quern.ptx.CubinCache;
import org.quern.ptx.KernelVariant;
import org.quern.ptx.Occupancy;
import org.quern.ptx.PtxTemplate;
import org.quern.ptx.ResourceUsage;
import org.quern.ptx.emulator.Options;

/// Whether kernels whose time should be memory's keep it busy: what [LatencyModel] says, on an H100.
public final class MemoryBoundTimes {
    private static final String ARCHITECTURE = "sm_90";
    private static final DeviceRates RATES = DeviceRates.H100;
    /// Clocks: of idle memory, and of busy one.
    private static final List<Integer> LATENCIES = List.of(600, 1000);

    private final CubinCache cache;

    /// @param cache of what is assembled to know its registers
    public MemoryBoundTimes(CubinCache cache) {
        this.cache = cache;
    }

    /// What limits a kernel on an H100 whose memory is busy.
    ///
    /// @param benchmark its name in the [catalog][BenchmarkCatalog]
    /// @return by the kernel, as it is called where it is timed; empty if it is none that memory bounds
    public Map<String, Limit> limits(String benchmark) {
        List<KernelBenchmark> all = StreamingBenchmarks.benchmarks();
        for (int i = 0; i < all.size(); i++) {
            if (all.get(i).name().equals(benchmark)) {
                double part = of(StreamingBenchmarks.shares().get(i)).part(LATENCIES.size() - 1);
                double seconds = all.get(i).bytes() / RATES.bytesPerSecond();
                return Map.of(
                        KernelBenchmark.QUERN,
                        part <= 1
                                ? new Limit("device memory", seconds)
                                : new Limit("issue and latencies", part * seconds));
            }
        }
        return Map.of();
    }

    /// The section of `kernels/KERNELS.md`.
    public static String markdown(CubinCache cache) {
        StringBuilder text = new StringBuilder("""

                ### Kernels that memory bounds

                On an H100, as modelled: nothing was measured. Memory gives a multiprocessor %.1f bytes a clock. If it gave any
                number, each %d or %d clocks after it was asked, the multiprocessor's schedulers would need a part of the time
                that memory needs for the kernel's least bytes: well below 1, memory is what limits. They would be busy with
                instructions, their latencies, barriers, and waiting for what too few warps have asked for. Of instructions the
                emulator ran, in the order of the text; all launches of a kernel together, one after the other.

                | a multiprocessor's share | blocks at a time | time of memory | %s |
                |---|--:|--:|%s
                """.formatted(
                bytesPerClock(),
                LATENCIES.getFirst(),
                LATENCIES.getLast(),
                String.join(
                        " | ",
                        LATENCIES.stream().map("of it, at %d clocks"::formatted).toList()),
                "--:|".repeat(LATENCIES.size())));
        MemoryBoundTimes times = new MemoryBoundTimes(cache);
        StreamingBenchmarks.shares()
                .forEach(share -> text.append(times.of(share).line()).append('\n'));
        return text.toString();
    }

    private static double bytesPerClock() {
        return RATES.bytesPerSecond() / RATES.wavefrontsPerSecond();
    }

    /// What a multiprocessor needs for its share.
    ///
    /// @param resident blocks at a time and their threads, of each launch
    /// @param memory clocks that memory takes
    /// @param own clocks that all else takes, by [#LATENCIES]
    record Times(String kernel, List<String> resident, double memory, long[] own) {
        /// The part of the time of memory that all else takes.
        double part(int latency) {
            return own[latency] / memory;
        }

        String line() {
            StringBuilder text = new StringBuilder("| %s | %s | %,.0f clocks |"
                    .formatted(
                            kernel,
                            String.join(", ", resident.stream().distinct().toList()),
                            memory));
            for (int i = 0; i < own.length; i++) {
                text.append(" %.2f |".formatted(part(i)));
            }
            return text.toString();
        }
    }

    Times of(Share share) {
        KernelBenchmark benchmark = share.benchmark();
        Map<String, ResourceUsage> resources = new HashMap<>();
        List<LaunchTrace> launches = trace(benchmark, share.multiprocessors(), resources);
        DeviceProperties device = ExampleDevices.of(ARCHITECTURE).orElseThrow();
        List<String> resident = new ArrayList<>();
        long[] clocks = new long[LATENCIES.size()];
        for (LaunchTrace launch : launches) {
            ResourceUsage usage = resources.get(launch.kernel());
            int threads = 32 * launch.warps();
            int blocks = Occupancy.of(device, usage.registers(), usage.sharedBytes(), threads)
                    .blocks();
            resident.add("%d x %d".formatted(blocks, threads));
            for (int i = 0; i < clocks.length; i++) {
                clocks[i] += LatencyModel.clocks(launch, blocks, LATENCIES.get(i));
            }
        }
        double memory = benchmark.bytes() / share.multiprocessors() / bytesPerClock();
        return new Times(benchmark.name(), resident, memory, clocks);
    }

    private List<LaunchTrace> trace(
            KernelBenchmark benchmark, int multiprocessors, Map<String, ResourceUsage> resources) {
        Options.Device hopper = Options.Device.SM_90;
        Options.Device device = new Options.Device(
                hopper.architecture(),
                multiprocessors,
                hopper.sharedBytesPerBlock(),
                hopper.sharedBytesReserved(),
                hopper.threadsPerBlock(),
                hopper.barriers());
        List<LaunchTrace> launches = new ArrayList<>();
        try (EmulatedGpu gpu = new EmulatedGpu(Options.DEFAULT.withDevice(device));
                LoadedKernels kernels = LoadedKernels.asText(gpu);
                DeviceArena arena = gpu.arena();
                GpuStream stream = gpu.stream()) {
            KernelLibrary library = new KernelLibrary() {
                @Override
                public DeviceProperties device() {
                    return kernels.device();
                }

                @Override
                public GpuFunction function(KernelVariant variant, String entry) {
                    resources.put(entry, usage(variant, entry));
                    return kernels.function(variant, entry);
                }

                @Override
                public void close() {}
            };
            GpuKernel kernel = benchmark.quern().bind(library, new BenchmarkMemory(arena, stream, 1));
            stream.synchronize();
            gpu.trace(LaunchTrace.into(launches, block -> block % multiprocessors == 0));
            kernel.launch(stream);
            stream.synchronize();
        }
        return launches;
    }

    private ResourceUsage usage(KernelVariant variant, String entry) {
        String ptx = PtxTemplate.expand(variant);
        Assembler assembler = Assembler.choose(ptx, ARCHITECTURE).assembler().orElseThrow();
        return cache.assemble(variant.name(), ptx, ARCHITECTURE, assembler)
                .kernels()
                .get(entry);
    }
}
