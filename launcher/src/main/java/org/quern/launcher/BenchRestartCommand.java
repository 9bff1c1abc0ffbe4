package org.quern.launcher;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.config.ConfigReader;
import org.quern.config.RunConfig;
import org.quern.launcher.bench.RestartedGroup;
import org.quern.launcher.bench.RestartedGroup.Recovery;
import org.quern.launcher.bench.RestartedRun;
import org.quern.launcher.bench.RestartedTorchrun;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `quern bench restart`: how long a job of two workers stands still when one of them dies.
@Command(
        name = "restart",
        description = {
            "Kills one of two workers that train a small model, again and again, whenever others stand by, and says when the "
                    + "launcher knew it, and when the others were at work and had taken a step; beside it torchrun.",
            "Prints medians of milliseconds since the kill, in parentheses the least and the greatest."
        })
final class BenchRestartCommand implements Callable<Integer> {
    private static final int HIDDEN = 128;
    private static final int LAYERS = 4;
    private static final int HEADS = 4;
    private static final int VOCABULARY = 512;
    private static final int LENGTH = 64;
    private static final int BATCH = 8;

    @Option(names = "--rounds", paramLabel = "N", description = "Kills of each; ${DEFAULT-VALUE} by default.")
    private int rounds = 5;

    @Option(
            names = "--torchrun",
            paramLabel = "PROGRAM",
            description =
                    "PyTorch's launcher, with a trivial worker and with one that builds a model of the same size.")
    private Optional<String> torchrun = Optional.empty();

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (rounds < 1) {
            throw new ParameterException(spec.commandLine(), "at least 1 round is needed");
        }
        double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
        Map<String, List<Recovery>> all = new LinkedHashMap<>();
        Path folder = Files.createTempDirectory("quern-bench-restart");
        try {
            measure(own(folder), all);
            if (torchrun.isPresent()) {
                measure(new RestartedTorchrun("torchrun, trivial", torchrun.get(), folder, List.of("trivial")), all);
                List<String> model = Stream.concat(
                                Stream.of("model"),
                                Stream.of(HIDDEN, LAYERS, HEADS, VOCABULARY, LENGTH, BATCH, folder.resolve("model.pt"))
                                        .map(String::valueOf))
                        .toList();
                measure(new RestartedTorchrun("torchrun, model", torchrun.get(), folder, model), all);
            }
        } finally {
            Folders.delete(folder);
        }
        System.out.printf("%s; load %.1f%n", BenchCpuCommand.machine(), load);
        System.out.printf(
                "    quern %s%n%n",
                String.join(" ", spec.root().commandLine().getParseResult().originalArgs()));
        System.out.println("| by | detected ms | started ms | first step ms |");
        System.out.println("|---|---|---|---|");
        all.forEach((name, recoveries) -> System.out.printf(
                "| %s | %s | %s | %s |%n",
                name,
                spread(recoveries, Recovery::detected),
                spread(recoveries, Recovery::started),
                spread(recoveries, Recovery::stepped)));
        return ExitCode.OK.code();
    }

    private static RestartedGroup own(Path folder) throws IOException {
        Files.writeString(
                folder.resolve("text.txt"),
                IntStream.range(0, 2000)
                        .mapToObj(i -> "Document %d: %s."
                                .formatted(i, Long.toString(i * 2654435761L, 36).repeat(9)))
                        .collect(Collectors.joining("\f")));
        Path file = Files.writeString(
                folder.resolve("restart.yaml"), """
                run: {device: cpu}
                model: {architecture: gpt2, hidden_size: %d, num_hidden_layers: %d, num_attention_heads: %d}
                tokenizer: {train: {vocab_size: %d}}
                data: {text: [text.txt]}
                train: {steps: 1000000, global_batch: %d, sequence_length: %d, spike_guard: off}
                optimizer: {lr: 1e-3}
                checkpoint: {every: 20}
                workers: {max_restarts: 1000}
                """.formatted(HIDDEN, LAYERS, HEADS, VOCABULARY, BATCH, LENGTH));
        Path run = folder.resolve("run");
        int threads = Math.max(1, Runtime.getRuntime().availableProcessors() / 2);
        List<String> command =
                OwnProgram.worker(threads, List.of(), List.of("train", file.toString(), "--run", run.toString()));
        return new RestartedRun(command, ConfigReader.read(file, RunConfig.class, List.of()), run);
    }

    private void measure(RestartedGroup group, Map<String, List<Recovery>> all) throws InterruptedException {
        try (group) {
            List<Recovery> recoveries = new ArrayList<>();
            for (int round = 0; round < rounds; round++) {
                recoveries.add(group.kill());
                Terminal.error().print("%s: %s".formatted(group.name(), recoveries.getLast()));
            }
            all.put(group.name(), recoveries);
        }
    }

    private static String spread(List<Recovery> recoveries, ToDoubleFunction<Recovery> value) {
        double[] sorted = recoveries.stream().mapToDouble(value).sorted().toArray();
        return String.format(
                Locale.ROOT, "%.0f (%.0f-%.0f)", sorted[sorted.length / 2], sorted[0], sorted[sorted.length - 1]);
    }
}
