package org.quern.launcher.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.quern.base.Json;
import org.quern.base.QuernException;
import tools.jackson.databind.JsonNode;

/// A command that measures something else the same way: each line of its output is a JSON object with `bench`, maybe
/// `shape`, `threads`, and a rate under the name of its unit.
public final class Rival {
    /// How rates are called in a rival's output, and the unit of ours that they are compared with.
    private static final Map<String, String> UNITS = Map.of(
            "gflops", "GFLOP/s",
            "tokens_per_second", "tokens/s",
            "megabytes_per_second", "MB/s");

    private final List<String> command;

    public Rival(
            String command,
            Optional<CpuBenchmarks.Kind> only,
            Optional<Integer> threads,
            Optional<Path> text,
            Optional<Path> ranks) {
        this.command = new ArrayList<>(List.of(command.trim().split("\\s+")));
        only.ifPresent(kind -> option("--only", kind.option()));
        threads.ifPresent(count -> option("--threads", count));
        text.ifPresent(file -> option("--text", file));
        ranks.ifPresent(file -> option("--ranks", file));
    }

    private void option(String name, Object value) {
        command.add(name);
        command.add(value.toString());
    }

    /// Runs the command once.
    ///
    /// @throws QuernException if it cannot be started or fails
    public void run(Consumer<Measurement> each) {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try (BufferedReader lines = process.inputReader()) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    measurement(line).ifPresent(each);
                }
            }
            int code = process.waitFor();
            if (code != 0) {
                throw QuernException.data("%s ended with exit code %d".formatted(String.join(" ", command), code));
            }
        } catch (IOException e) {
            throw QuernException.io("%s cannot be run".formatted(String.join(" ", command)), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static Optional<Measurement> measurement(String line) {
        if (!line.startsWith("{")) {
            return Optional.empty();
        }
        JsonNode json = Json.MAPPER.readTree(line);
        String name = json.path("bench").asString("")
                + (json.has("shape") ? " " + json.path("shape").asString() : "");
        return UNITS.entrySet().stream()
                .filter(unit -> json.has(unit.getKey()))
                .findFirst()
                .map(unit -> new Measurement(
                        name,
                        json.path("threads").asInt(),
                        json.path(unit.getKey()).asDouble(),
                        unit.getValue()));
    }
}
