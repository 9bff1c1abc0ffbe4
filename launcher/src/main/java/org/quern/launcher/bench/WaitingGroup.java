package org.quern.launcher.bench;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.kernels.bench.Timing;
import tools.jackson.databind.JsonNode;

/// Processes that wait for a line on standard input, `BYTES ITERATIONS`, so that they disturb nobody
/// between turns. The first prints a line of JSON when they are ready, and one for each question.
public final class WaitingGroup implements SummingGroup {
    private static final int SECONDS_TO_END = 10;

    private final String name;
    private final List<Process> processes = new ArrayList<>();
    private final List<BufferedWriter> questions = new ArrayList<>();
    private final BufferedReader answers;

    /// Starts them.
    ///
    /// @param commands one a rank
    /// @param hello what all are sent at first; nothing if empty
    public WaitingGroup(String name, List<List<String>> commands, String hello) {
        this.name = name;
        try {
            for (List<String> command : commands) {
                Process process = new ProcessBuilder(command)
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
                processes.add(process);
                questions.add(process.outputWriter(StandardCharsets.UTF_8));
            }
            answers = processes.getFirst().inputReader(StandardCharsets.UTF_8);
            if (!hello.isEmpty()) {
                ask(hello);
            }
            answer();
        } catch (IOException e) {
            close();
            throw QuernException.data("%s cannot be run: %s".formatted(name, e.getMessage()));
        } catch (QuernException e) {
            close();
            throw e;
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Timing time(long bytes, int iterations) {
        try {
            ask(bytes + " " + iterations);
            return seconds(answer());
        } catch (IOException e) {
            throw QuernException.data("%s ended: %s".formatted(name, e.getMessage()));
        }
    }

    static Timing seconds(JsonNode answer) {
        List<Double> seconds = new ArrayList<>();
        answer.path("seconds").forEach(value -> seconds.add(value.asDouble()));
        return new Timing(seconds);
    }

    private void ask(String line) throws IOException {
        for (BufferedWriter question : questions) {
            question.write(line + "\n");
            question.flush();
        }
    }

    private JsonNode answer() throws IOException {
        String line = answers.readLine();
        while (line != null && !line.startsWith("{")) {
            line = answers.readLine();
        }
        if (line == null) {
            throw QuernException.data("%s ended; what it printed is above".formatted(name));
        }
        return Json.MAPPER.readTree(line);
    }

    @Override
    public void close() {
        for (Process process : processes) {
            try (var _ = process.outputWriter()) {
                // Without questions it ends.
            } catch (IOException _) {
                // It has ended already.
            }
        }
        for (Process process : processes) {
            try {
                if (!process.waitFor(SECONDS_TO_END, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                }
            } catch (InterruptedException _) {
                process.destroyForcibly();
                Thread.currentThread().interrupt();
            }
        }
    }
}
