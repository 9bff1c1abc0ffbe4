package org.quern.launcher;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.executor.TunedPlans;
import org.quern.gpu.GpuException;
import org.quern.kernels.bench.BenchmarkCatalog;
import org.quern.kernels.bench.Ceilings;
import org.quern.kernels.bench.DeviceRates;
import org.quern.kernels.bench.EmulatedBench;
import org.quern.kernels.bench.KernelBench;
import org.quern.kernels.bench.KernelBenchmark;
import org.quern.kernels.bench.KernelCounts;
import org.quern.kernels.bench.KernelTiming;
import org.quern.kernels.bench.Timing;
import org.quern.kernels.cuda.KernelDevice;
import org.quern.kernels.cuda.ProductPlans;
import org.quern.launcher.bench.TorchRival;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `quern bench kernels`: how fast the GPU's kernels are, and PyTorch beside them.
@Command(
        name = "kernels",
        description = {
            "Times the GPU's kernels on the sizes of GPT-2 124M, 1.5B and Llama 8B, in turns with PyTorch if there is one.",
            "Prints a row of Markdown a kernel. The ceilings are what a copy and a matrix product reach in the same run.",
            "On the emulator there is nothing to time: it prints what smaller sizes count, and the time that a model makes "
                    + "of it."
        })
final class BenchKernelsCommand implements Callable<Integer> {
    @Mixin
    private DeviceOption device;

    @Mixin
    private NamePattern only;

    @Option(
            names = "--seconds",
            paramLabel = "N",
            description = "For each kernel, and as much for everybody who is compared; ${DEFAULT-VALUE} by default.")
    private double seconds = 0.5;

    @Option(
            names = "--torch",
            paramLabel = "PYTHON",
            description = "A Python with torch, which times the same work on the same GPU.")
    private Optional<String> torch = Optional.empty();

    @Option(
            names = "--without",
            paramLabel = "WHO",
            description =
                    "Leave out who is called so or begins so: Quern, wgmma, fp8, cuBLAS, PyTorch. May be repeated.")
    private List<String> without = List.of();

    @Option(names = "--time-limit", paramLabel = "SECONDS", description = "Begin no kernel after this time.")
    private Optional<Integer> timeLimit = Optional.empty();

    @Option(names = "--json", description = "Print what was measured as JSON, a line each, as it comes.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    private final long begin = System.nanoTime();

    @Override
    public Integer call() {
        if (seconds <= 0) {
            throw new ParameterException(spec.commandLine(), "--seconds must be > 0: got " + seconds);
        }
        if (device.isEmulated() && torch.isPresent()) {
            throw new ParameterException(spec.commandLine(), "--torch needs --device cuda: the emulator is not timed");
        }
        if (device.isEmulated()) {
            count(device.header(spec), chosen(BenchmarkCatalog.reduced()));
            return ExitCode.OK.code();
        }
        try (KernelDevice kernels = device.open()) {
            TunedPlans plans = TunedPlans.of(kernels.gpu().properties());
            List<KernelBenchmark> benchmarks = chosen(BenchmarkCatalog.benchmarks(plans));
            DeviceHeader header = DeviceHeader.of(device.name(), kernels.gpu().properties(), spec);
            Optional<TorchRival> rival = torch.flatMap(this::startTorch);
            try {
                time(kernels, plans, header, benchmarks, rival);
            } finally {
                rival.ifPresent(TorchRival::close);
            }
        }
        return ExitCode.OK.code();
    }

    private List<KernelBenchmark> chosen(List<KernelBenchmark> all) {
        List<KernelBenchmark> benchmarks =
                all.stream().filter(benchmark -> only.matches(benchmark.name())).toList();
        if (benchmarks.isEmpty()) {
            throw new ParameterException(spec.commandLine(), "--only: no benchmark has %s in its name".formatted(only));
        }
        return benchmarks;
    }

    /// Without PyTorch there is still all the rest to measure.
    private Optional<TorchRival> startTorch(String python) {
        try {
            return Optional.of(new TorchRival(python, device.name().contains(":") ? device.name() : "cuda:0"));
        } catch (GpuException e) {
            Terminal.error().print(e.getMessage() + " The benchmarks go on without it.");
            return Optional.empty();
        }
    }

    private void count(DeviceHeader header, List<KernelBenchmark> benchmarks) {
        CountTable table = new CountTable(benchmarks);
        print(header.toString());
        print("");
        print(
                "Modelled from counters of the emulator, not measured. Sectors of global memory, wavefronts of shared memory: for"
                        + " each that was needed. Time: what the busiest part of an A100 needs at its datasheet's rate.");
        print("");
        print(table.head());
        line(new CountHead(header));
        for (int i = 0; i < benchmarks.size(); i++) {
            progress(i, benchmarks);
            KernelBenchmark benchmark = benchmarks.get(i);
            KernelCounts counts = EmulatedBench.count(benchmark);
            line(new CountRow(
                    benchmark.name(),
                    benchmark.family(),
                    counts,
                    counts.modelledSeconds(DeviceRates.A100, benchmark.bytes(), 1)));
            print(table.row(benchmark, counts));
        }
    }

    private static void progress(int done, List<KernelBenchmark> benchmarks) {
        Terminal.error()
                .status("%s %d/%d  %s"
                        .formatted(
                                ProgressDisplay.bar(done, benchmarks.size()),
                                done + 1,
                                benchmarks.size(),
                                benchmarks.get(done).name()));
    }

    private void time(
            KernelDevice kernels,
            ProductPlans plans,
            DeviceHeader header,
            List<KernelBenchmark> benchmarks,
            Optional<TorchRival> torch) {
        TimingTable table = new TimingTable(benchmarks);
        List<TorchRival> rivals = torch.stream().toList();
        try (KernelBench bench =
                new KernelBench(kernels, seconds, who -> without.stream().noneMatch(who::startsWith))) {
            Terminal.error().status("measuring the ceilings");
            Ceilings ceilings = bench.ceilings(BenchmarkCatalog.largestProduct(plans), rivals);
            print(header.toString());
            torch.ifPresent(rival -> print("    PyTorch " + rival.version()));
            print("");
            print(
                    "Ceilings: %s GB/s copied, %s TFLOP/s multiplied by %s. Speed against others: above 1, Quern is faster."
                            .formatted(
                                    TimingTable.digits(ceilings.bytesPerSecond() / 1e9),
                                    TimingTable.digits(ceilings.flopPerSecond() / 1e12),
                                    ceilings.product()));
            print("");
            print(table.head());
            line(new Head(header, torch.map(TorchRival::version), ceilings));
            for (int i = 0; i < benchmarks.size() && !isOver(); i++) {
                progress(i, benchmarks);
                KernelTiming timing = bench.time(benchmarks.get(i), rivals);
                line(Row.of(timing));
                print(table.row(timing, ceilings));
            }
        }
    }

    private boolean isOver() {
        return timeLimit.isPresent() && System.nanoTime() - begin > timeLimit.get() * 1e9;
    }

    private void line(Object what) {
        if (json) {
            System.out.println(JsonOutput.of(what));
        }
    }

    private void print(String text) {
        if (!json) {
            Terminal.error().status("");
            System.out.println(text);
        }
    }

    /// The first line of `--json`.
    ///
    /// @param torch version of PyTorch, if it is compared
    private record Head(DeviceHeader run, Optional<String> torch, Ceilings ceilings) {}

    private record CountHead(DeviceHeader run) {}

    /// @param modelled seconds that each part of an A100 would need
    private record CountRow(String name, String family, KernelCounts counts, Map<String, Double> modelled) {}

    /// Times in seconds, one a round.
    private record Row(
            String name,
            String family,
            double flop,
            double bytes,
            Optional<Timing> quern,
            Map<String, Timing> others,
            Map<String, String> refusals) {
        static Row of(KernelTiming timing) {
            KernelBenchmark benchmark = timing.benchmark();
            return new Row(
                    benchmark.name(),
                    benchmark.family(),
                    benchmark.flop(),
                    benchmark.bytes(),
                    timing.quern(),
                    timing.others(),
                    timing.refusals());
        }
    }
}
