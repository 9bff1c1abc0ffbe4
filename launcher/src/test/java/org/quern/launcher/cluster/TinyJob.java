package org.quern.launcher.cluster;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.quern.base.Json;
import tools.jackson.databind.JsonNode;

/// Runs of `quern train`, processes of their own, of a model with a few thousand weights on a little text.
final class TinyJob {
    private static final Duration LIMIT = Duration.ofMinutes(5);
    private static final String MAIN = "org.quern.launcher.Main";

    private final Path folder;
    private final List<String> flags;

    /// @param folder for the configuration, the text and the runs
    /// @param steps of each run
    /// @param settings more of the configuration, a section a line
    TinyJob(Path folder, int steps, String... settings) throws IOException {
        this(folder, List.of());
        Files.writeString(
                folder.resolve("text.txt"),
                IntStream.range(0, 99)
                        .mapToObj("All work and no play makes Jack %d a dull boy."::formatted)
                        .collect(Collectors.joining("\f")));
        Files.writeString(file(), """
                model: {architecture: llama, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2}
                tokenizer: {train: {vocab_size: 270}}
                data: {text: [text.txt]}
                train: {steps: %d, global_batch: 8, sequence_length: 16}
                optimizer: {lr: 1e-3}
                %s
                """.formatted(steps, String.join("\n", settings)));
    }

    private TinyJob(Path folder, List<String> flags) {
        this.folder = folder;
        this.flags = flags;
    }

    /// The same with other flags of the JVMs.
    TinyJob with(String... more) {
        return new TinyJob(folder, List.of(more));
    }

    Path file() {
        return folder.resolve("tiny.yaml");
    }

    Path run(String name) {
        return folder.resolve(name);
    }

    /// The program with a command line.
    ProcessBuilder program(String... arguments) {
        return program(List.of(), List.of(arguments));
    }

    private ProcessBuilder program(List<String> prefix, List<String> arguments) {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(program());
        command.addAll(arguments);
        return new ProcessBuilder(command).redirectErrorStream(true);
    }

    /// A script that is the program, as the installed one is.
    String script() {
        return program().stream()
                .map("'%s'"::formatted)
                .collect(Collectors.joining(" ", "#!/bin/sh\nexec ", " \"$@\"\n"));
    }

    private List<String> program() {
        List<String> command = new ArrayList<>(List.of(
                System.getProperty("java.home") + "/bin/java",
                "--enable-native-access=ALL-UNNAMED",
                "--add-exports=java.base/jdk.internal.module=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-XX:ErrorFile=" + folder.resolve("crash-%p.txt"),
                "-Xlog:disable"));
        command.addAll(flags);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), MAIN));
        return command;
    }

    /// Starts or continues a run.
    ///
    /// @param prefix what starts the program
    ProcessBuilder command(List<String> prefix, String run, String... arguments) {
        List<String> train = new ArrayList<>(List.of("train", file().toString(), "--run", run(run).toString()));
        train.addAll(List.of(arguments));
        File output = folder.resolve(run + ".txt").toFile();
        return program(prefix, train).redirectOutput(Redirect.appendTo(output));
    }

    Process start(String run, String... arguments) throws IOException {
        return command(List.of(), run, arguments).start();
    }

    /// Runs to the end.
    ///
    /// @return the exit code
    int train(String run, String... arguments) throws IOException, InterruptedException {
        Process process = start(run, arguments);
        try {
            return process.waitFor();
        } finally {
            process.destroyForcibly();
        }
    }

    /// What the processes of a run have printed.
    String output(String run) {
        try {
            return Files.readString(folder.resolve(run + ".txt"));
        } catch (IOException e) {
            return e.toString();
        }
    }

    Path checkpoint(String run, int step) {
        return run(run).resolve("checkpoints/step-%08d".formatted(step));
    }

    byte[] weights(String run, int step) throws IOException {
        return Files.readAllBytes(checkpoint(run, step).resolve("model.safetensors"));
    }

    /// The losses of a run by its steps, in the order of its metrics.
    List<Map.Entry<Long, JsonNode>> losses(String run) throws IOException {
        Path metrics = run(run).resolve("metrics.jsonl");
        if (!Files.exists(metrics)) {
            return List.of();
        }
        try (Stream<String> lines = Files.lines(metrics)) {
            return lines.map(Json.MAPPER::readTree)
                    .filter(line -> line.has("loss"))
                    .map(line -> Map.entry(line.path("step").asLong(), line.path("loss")))
                    .toList();
        }
    }

    /// The processes of a run's workers, by rank, as the launcher has written down.
    List<Long> workers(String run) throws IOException {
        Path file = run(run).resolve("logs/workers.json");
        return Json.MAPPER
                .readTree(Files.readString(file))
                .path("workers")
                .valueStream()
                .sorted(Comparator.comparing(worker -> worker.path("rank").asInt()))
                .map(worker -> worker.path("pid").asLong())
                .toList();
    }

    /// The processes that have to do with these runs and are no zombies.
    List<Long> processes() throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc"))) {
            return all.filter(path -> path.getFileName().toString().matches("\\d+"))
                    .filter(path -> contents(path.resolve("cmdline")).contains(folder.toString()))
                    .map(path -> Long.parseLong(path.getFileName().toString()))
                    .toList();
        }
    }

    /// Of a zombie, and of a process that has gone, nothing.
    private static String contents(Path path) {
        try {
            return Files.readString(path, StandardCharsets.ISO_8859_1);
        } catch (IOException | UncheckedIOException _) {
            return "";
        }
    }

    static void await(Condition condition) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("waited in vain");
            }
            Thread.sleep(5);
        }
    }

    interface Condition {
        boolean holds() throws IOException;
    }
}
