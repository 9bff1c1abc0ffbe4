package org.quern.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.executor.TunedPlans;
import org.quern.kernels.bench.BenchmarkCatalog;
import org.quern.kernels.bench.KernelBenchmark;
import org.quern.kernels.bench.MemoryBoundTimes;
import org.quern.kernels.bench.ModelledTimes;
import org.quern.kernels.cuda.ProductPlans;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import org.quern.launcher.bench.gpu.GpuBench;
import org.quern.launcher.bench.gpu.Settings;
import org.quern.launcher.bench.gpu.StageProcess;
import org.quern.ptx.CubinCache;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `quern bench gpu`: all figures of a GPU, in a given time.
@Command(
        name = "gpu",
        description = {
            "Measures a GPU in the given time, what says most first: checks the kernels, tunes products, times kernels in turns "
                    + "with PyTorch, and training beside torch.compile.",
            "Writes report.md and results.jsonl as the figures come; what was measured is not measured again by the same "
                    + "command. Kernels that are wrong have no times."
        })
final class BenchGpuCommand implements Callable<Integer> {
    private static final String CONFIG = "gpt2-124m.yaml";
    /// For the report and the end of this process.
    private static final Duration RESERVE = Duration.ofSeconds(4);

    @Mixin
    private DeviceOption device;

    @Option(
            names = "--minutes",
            paramLabel = "N",
            description = "For everything, this program's start included; ${DEFAULT-VALUE} by default.")
    private double minutes = 10;

    @Option(
            names = "--torch",
            paramLabel = "PYTHON",
            description = "A Python with torch; ${DEFAULT-VALUE} by default. Without one, nobody is compared.")
    private String torch = "python3";

    @Option(
            names = "--config",
            paramLabel = "CONFIG",
            description = "What to train; configs/gpt2-124m.yaml by default.")
    private Optional<Path> config = Optional.empty();

    @Option(
            names = "--output",
            required = true,
            paramLabel = "FOLDER",
            description = "For the report, its figures, the table of plans and what the stages had to say.")
    private Path output;

    @Spec
    private CommandSpec spec;

    /// The first line of the results.
    ///
    /// @param head of the report
    private record Head(DeviceHeader run, String head, double minutes) {}

    @Override
    public Integer call() throws IOException {
        if (minutes <= 0) {
            throw new ParameterException(spec.commandLine(), "--minutes must be > 0: got " + minutes);
        }
        device.preferGpu();
        if (device.isEmulated()) {
            throw new ParameterException(
                    spec.commandLine(), "--device: a GPU is measured, the emulator has no time: name cuda or cuda:N");
        }
        DeviceHeader header = device.header(spec);
        Files.createDirectories(output);
        Settings settings = new Settings(
                header.id(),
                header.architecture(),
                Optional.of(torch),
                config.isPresent() ? config.get() : copyConfig(),
                TunedPlans.file(header.device()),
                BenchmarkCatalog.benchmarks(ProductPlans.MODELLED).stream()
                        .map(KernelBenchmark::name)
                        .toList(),
                KernelTuning.tasks(
                                BenchmarkCatalog.products(),
                                BenchmarkCatalog.attentions(),
                                KernelsTuneCommand.PROVIDERS,
                                List.of(Gradient.values()))
                        .stream()
                        .map(TuningTask::name)
                        .toList());
        StageProcess program = new StageProcess(OwnProgram::owned, output.resolve("log.txt"));
        Runtime.getRuntime().addShutdownHook(new Thread(program::stop));
        importTorch();
        ModelledTimes products = new ModelledTimes();
        MemoryBoundTimes others = new MemoryBoundTimes(CubinCache.standard());
        GpuBench bench = new GpuBench(
                settings,
                output,
                Json.MAPPER.readTree(JsonOutput.of(new Head(header, header.toString(), minutes))),
                program,
                time(),
                System::nanoTime,
                name -> Stream.of(products.limits(name), others.limits(name))
                        .flatMap(limits -> limits.entrySet().stream())
                        .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue)),
                Terminal.error()::print,
                Terminal.error()::status);
        boolean right = bench.run();
        Terminal.error().status("");
        System.out.print(Files.readString(bench.report()));
        return (right ? ExitCode.OK : ExitCode.INTERNAL).code();
    }

    /// The first import on a machine reads gigabytes: it is over before anything is timed.
    private void importTorch() {
        try {
            new ProcessBuilder(torch, "-c", "import torch")
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
        } catch (IOException _) {
            // Where it is to be compared, it says why it cannot be.
        }
    }

    /// What is left of it.
    private Duration time() {
        long used = System.currentTimeMillis()
                - ManagementFactory.getRuntimeMXBean().getStartTime();
        return Duration.ofMillis((long) (minutes * 60_000) - used).minus(RESERVE);
    }

    private Path copyConfig() throws IOException {
        Path copy = output.resolve(CONFIG);
        try (InputStream in = getClass().getResourceAsStream("/bundle/configs/" + CONFIG)) {
            Files.copy(Objects.requireNonNull(in, CONFIG), copy, StandardCopyOption.REPLACE_EXISTING);
        }
        return copy;
    }
}
