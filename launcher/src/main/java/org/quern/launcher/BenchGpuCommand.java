package org.quern.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.executor.TunedPlans;
import org.quern.kernels.bench.BenchmarkCatalog;
import org.quern.kernels.bench.KernelBenchmark;
import org.quern.kernels.bench.ModelledTimes;
import org.quern.kernels.bench.Product;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.ProductPlans;
import org.quern.launcher.bench.gpu.GpuBench;
import org.quern.launcher.bench.gpu.StageProcess;
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
        GpuBench.Settings settings = new GpuBench.Settings(
                header.id(),
                header.architecture(),
                Optional.of(torch),
                config.isPresent() ? config.get() : copyConfig(),
                TunedPlans.file(header.device()),
                BenchmarkCatalog.benchmarks(ProductPlans.MODELLED).stream()
                        .map(KernelBenchmark::name)
                        .toList(),
                products());
        StageProcess program = new StageProcess(OwnProgram::command, output.resolve("log.txt"));
        Runtime.getRuntime().addShutdownHook(new Thread(program::stop));
        importTorch();
        ModelledTimes models = new ModelledTimes();
        GpuBench bench = new GpuBench(
                settings,
                output,
                Json.MAPPER.readTree(JsonOutput.of(new Head(header, header.toString(), minutes))),
                program,
                time(),
                System::nanoTime,
                models::limit,
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

    /// Of those with the same sizes the first.
    private static List<String> products() {
        Set<Shape> seen = new HashSet<>();
        return BenchmarkCatalog.products().stream()
                .filter(product -> seen.add(product.shape()))
                .map(Product::name)
                .toList();
    }
}
