package org.quern.launcher;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.config.RunConfig.Optimizer;
import org.quern.launcher.bench.Measurement;
import org.quern.launcher.bench.Spread;
import org.quern.launcher.bench.TorchTraining;
import org.quern.launcher.bench.TrainingBench;
import org.quern.train.Units;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `quern bench train`: how fast a configuration trains here, and PyTorch beside it.
@Command(
        name = "train",
        description = {
            "Takes steps of a configuration's training run on random tokens, and has PyTorch take steps of the same model and "
                    + "batches, eager and compiled.",
            "Prints tokens per second: the median of the steps after the warm-up, and the slowest and the fastest of them. "
                    + "The data of the configuration need not be there."
        })
final class BenchTrainCommand implements Callable<Integer> {
    @Mixin
    private ConfigArguments arguments;

    @Option(names = "--steps", paramLabel = "N", description = "Steps to take; ${DEFAULT-VALUE} by default.")
    private int steps = 20;

    @Option(
            names = "--warm-up",
            paramLabel = "N",
            description = "Steps of these that do not count; ${DEFAULT-VALUE} by default.")
    private int warmUp = 5;

    @Option(
            names = "--torch",
            paramLabel = "PYTHON",
            description = "A Python with torch, which trains the same model on the same device.")
    private Optional<String> torch = Optional.empty();

    @Option(names = "--json", description = "Print the measurements as JSON.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    /// Who trained, how fast.
    ///
    /// @param tokensPerSecond null if it failed
    /// @param flopPerSecond of the model's formula, of the median
    /// @param memoryBytes of the device; 0 if nobody knows
    private record Row(String who, Spread tokensPerSecond, double flopPerSecond, long memoryBytes, String error) {}

    @Override
    public Integer call() throws IOException {
        if (warmUp < 0 || steps <= warmUp) {
            throw new ParameterException(
                    spec.commandLine(), "--steps must be more than --warm-up: got %d and %d".formatted(steps, warmUp));
        }
        RunConfig config = arguments.read();
        if (torch.isPresent() && config.optimizer().name() == Optimizer.Name.MUON) {
            Terminal.error().print("AdamW trains all parameters of both: PyTorch's Muon is another");
        }
        double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
        Path folder = Files.createTempDirectory("quern-bench-train");
        try {
            TrainingBench bench = new TrainingBench(config, folder, steps, torch.isPresent());
            List<Row> rows = new ArrayList<>();
            List<Double> own = bench.run(step -> Terminal.error().status("step %d of %d".formatted(step, steps)));
            Terminal.error().status("");
            rows.add(row("Quern", own, bench, bench.plan().memory().total(), ""));
            String version = torch.map(python -> withTorch(python, bench, rows)).orElse("");
            print(bench, rows, version, load);
        } finally {
            Folders.delete(folder);
        }
        return ExitCode.OK.code();
    }

    /// Without PyTorch there is still our own figure.
    private String withTorch(String python, TrainingBench bench, List<Row> rows) {
        try {
            Terminal.error().status("PyTorch");
            return TorchTraining.run(
                    python,
                    bench,
                    result -> rows.add(row(
                            "PyTorch " + result.way(), result.seconds(), bench, result.memoryBytes(), result.error())));
        } catch (QuernException e) {
            Terminal.error().print(e.getMessage());
            return "";
        } finally {
            Terminal.error().status("");
        }
    }

    private Row row(String who, List<Double> seconds, TrainingBench bench, long memoryBytes, String error) {
        if (seconds.size() <= warmUp) {
            return new Row(who, null, 0, 0, error);
        }
        long tokens = bench.config().train().tokensPerStep();
        Spread spread = Spread.of(seconds.subList(warmUp, seconds.size()).stream()
                .map(one -> new Measurement("train", 1, tokens / one, "tokens/s"))
                .toList());
        return new Row(who, spread, spread.median() * bench.plan().flop().model(), memoryBytes, "");
    }

    private void print(TrainingBench bench, List<Row> rows, String version, double load) {
        if (json) {
            System.out.println(JsonOutput.of(rows));
            return;
        }
        String command =
                String.join(" ", spec.root().commandLine().getParseResult().originalArgs());
        System.out.println(bench.plan()
                .device()
                .gpu()
                .map(gpu -> DeviceHeader.of(bench.config().run().device(), gpu, spec)
                        .toString())
                .orElseGet(() -> "%s; load %.1f%n    quern %s".formatted(BenchCpuCommand.machine(), load, command)));
        if (!version.isEmpty()) {
            System.out.println("    PyTorch " + version);
        }
        System.out.printf(
                "%n%,d parameters, %,d tokens a step, micro-batches of %d x %d%n%n",
                bench.plan().parameters(),
                bench.config().train().tokensPerStep(),
                bench.plan().microBatch(),
                bench.config().train().sequenceLength());
        System.out.println("| | tokens/s | FLOP/s of the model | memory | Quern is faster by |");
        System.out.println("|---|--:|--:|--:|--:|");
        double own = rows.getFirst().tokensPerSecond().median();
        rows.forEach(row -> System.out.println(
                row.tokensPerSecond() == null
                        ? "| %s | failed: %s | | | |".formatted(row.who(), row.error())
                        : String.format(
                                Locale.ROOT,
                                "| %s | %,.0f (%,.0f-%,.0f) | %s | %s | %.2fx |",
                                row.who(),
                                row.tokensPerSecond().median(),
                                row.tokensPerSecond().min(),
                                row.tokensPerSecond().max(),
                                Units.count(row.flopPerSecond()),
                                row.memoryBytes() == 0 ? "" : Units.bytes(row.memoryBytes()),
                                own / row.tokensPerSecond().median())));
    }
}
