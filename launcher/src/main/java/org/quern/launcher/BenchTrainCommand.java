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
import org.quern.gpu.GpuException;
import org.quern.launcher.bench.Measurement;
import org.quern.launcher.bench.Spread;
import org.quern.launcher.bench.TorchTraining;
import org.quern.launcher.bench.TrainingBench;
import org.quern.train.RunPlan;
import org.quern.train.Units;
import org.quern.train.profile.Profiler;
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

    @Option(
            names = "--profile",
            description = "Time the operations of the third step to the fifth, which then must not count.")
    private boolean profile;

    @Option(names = "--json", description = "Print what was measured as JSON, a line each, as it comes.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    private final List<Row> rows = new ArrayList<>();

    /// What is trained.
    ///
    /// @param device empty on a CPU
    private record Setting(
            Optional<DeviceHeader> device, long parameters, long tokensPerStep, int microBatch, int sequenceLength) {}

    /// Who trained, how fast.
    ///
    /// @param tokensPerSecond null if it failed
    /// @param flopPerSecond of the model's formula, of the median
    /// @param memoryBytes of the device; 0 if nobody knows
    private record Row(String who, Spread tokensPerSecond, double flopPerSecond, long memoryBytes, String error) {}

    private record Profile(String profile) {}

    @Override
    public Integer call() throws IOException {
        if (warmUp < 0 || steps <= warmUp) {
            throw new ParameterException(
                    spec.commandLine(), "--steps must be more than --warm-up: got %d and %d".formatted(steps, warmUp));
        }
        if (profile && warmUp < Profiler.LAST_STEP) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--profile needs a --warm-up of %d steps or more: got %d".formatted(Profiler.LAST_STEP, warmUp));
        }
        RunConfig config = arguments.read();
        if (torch.isPresent() && config.optimizer().name() == Optimizer.Name.MUON) {
            Terminal.error().print("AdamW trains all parameters of both: PyTorch's Muon is another");
        }
        double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
        Path folder = Files.createTempDirectory("quern-bench-train");
        try {
            TrainingBench bench = new TrainingBench(config, folder, steps, torch.isPresent());
            Optional<RuntimeException> failure = own(bench);
            torch.ifPresent(python -> withTorch(python, bench));
            if (!json) {
                print(bench, load);
            }
            failure.ifPresent(e -> {
                throw e;
            });
        } finally {
            Folders.delete(folder);
        }
        return ExitCode.OK.code();
    }

    /// Takes our steps.
    ///
    /// @return why they could not be taken on a device that could be opened: others may do better
    private Optional<RuntimeException> own(TrainingBench bench) {
        Optional<RuntimeException> failure = Optional.empty();
        List<Double> seconds = List.of();
        try {
            seconds = bench.run(profile, step -> Terminal.error().status("step %d of %d".formatted(step, steps)));
        } catch (QuernException | GpuException e) {
            if (bench.plan().isEmpty()) {
                throw e;
            }
            failure = Optional.of(e);
        } finally {
            Terminal.error().status("");
        }
        line(setting(bench));
        add(
                "Quern",
                seconds,
                bench,
                plan(bench).memory().total(),
                failure.map(Throwable::getMessage).orElse(""));
        if (!bench.profile().isEmpty()) {
            line(new Profile(bench.profile()));
        }
        return failure;
    }

    /// Without PyTorch there is still our own figure.
    private void withTorch(String python, TrainingBench bench) {
        try {
            Terminal.error().status("PyTorch");
            TorchTraining.run(
                    python,
                    bench,
                    result -> add(
                            "PyTorch %s, %s".formatted(result.version(), result.way()),
                            result.seconds(),
                            bench,
                            result.memoryBytes(),
                            result.error()));
        } catch (QuernException e) {
            Terminal.error().print(e.getMessage());
        } finally {
            Terminal.error().status("");
        }
    }

    private void add(String who, List<Double> seconds, TrainingBench bench, long memoryBytes, String error) {
        Row row = new Row(who, null, 0, 0, error);
        if (seconds.size() > warmUp) {
            long tokens = bench.config().train().tokensPerStep();
            Spread spread = Spread.of(seconds.subList(warmUp, seconds.size()).stream()
                    .map(one -> new Measurement("train", 1, tokens / one, "tokens/s"))
                    .toList());
            row = new Row(who, spread, spread.median() * plan(bench).flop().model(), memoryBytes, "");
        }
        rows.add(row);
        line(row);
    }

    private static RunPlan plan(TrainingBench bench) {
        return bench.plan().orElseThrow();
    }

    private Setting setting(TrainingBench bench) {
        RunPlan plan = plan(bench);
        return new Setting(
                plan.device()
                        .gpu()
                        .map(gpu -> DeviceHeader.of(bench.config().run().device(), gpu, spec)),
                plan.parameters(),
                plan.tokensPerStep(),
                plan.microBatch(),
                bench.config().train().sequenceLength());
    }

    private void line(Object what) {
        if (json) {
            System.out.println(JsonOutput.of(what));
        }
    }

    private void print(TrainingBench bench, double load) {
        Setting setting = setting(bench);
        String command =
                String.join(" ", spec.root().commandLine().getParseResult().originalArgs());
        System.out.println(setting.device()
                .map(DeviceHeader::toString)
                .orElseGet(() -> "%s; load %.1f%n    quern %s".formatted(BenchCpuCommand.machine(), load, command)));
        System.out.printf(
                "%n%,d parameters, %,d tokens a step, micro-batches of %d x %d%n%n",
                setting.parameters(), setting.tokensPerStep(), setting.microBatch(), setting.sequenceLength());
        System.out.println("| | tokens/s | FLOP/s of the model | memory | Quern is faster by |");
        System.out.println("|---|--:|--:|--:|--:|");
        rows.forEach(row -> System.out.println(row(row)));
        if (!bench.profile().isEmpty()) {
            System.out.print("\n" + bench.profile());
        }
    }

    private String row(Row row) {
        if (row.tokensPerSecond() == null) {
            return "| %s | failed: %s | | | |".formatted(row.who(), row.error());
        }
        Spread own = rows.getFirst().tokensPerSecond();
        return String.format(
                Locale.ROOT,
                "| %s | %,.0f (%,.0f-%,.0f) | %s | %s | %s |",
                row.who(),
                row.tokensPerSecond().median(),
                row.tokensPerSecond().min(),
                row.tokensPerSecond().max(),
                Units.count(row.flopPerSecond()),
                row.memoryBytes() == 0 ? "" : Units.bytes(row.memoryBytes()),
                own == null
                        ? ""
                        : "%.2fx".formatted(own.median() / row.tokensPerSecond().median()));
    }
}
