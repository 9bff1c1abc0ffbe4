package org.quern.launcher.bench.gpu;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.quern.base.Json;
import org.quern.base.QuernException;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// Quern in a process, which ends with all that it started.
public final class StageProcess implements Program {
    private static final int WORDS = 300;
    private static final int SECONDS_TO_DIE = 5;

    private final UnaryOperator<List<String>> command;
    private final Path log;
    private volatile Process running;
    private volatile boolean stopped;

    /// @param command the whole command line for Quern's arguments
    /// @param log what standard error is added to
    public StageProcess(UnaryOperator<List<String>> command, Path log) {
        this.command = command;
        this.log = log;
    }

    /// Ends what runs, and starts nothing more.
    public void stop() {
        stopped = true;
        Process process = running;
        if (process != null) {
            end(process);
        }
    }

    @Override
    public Ending run(List<String> arguments, Duration limit, Duration silence, Consumer<JsonNode> lines) {
        if (stopped) {
            return new Ending(End.TIME_OVER, 0, "");
        }
        try {
            long logged = Files.exists(log) ? Files.size(log) : 0;
            Process process = new ProcessBuilder(command.apply(arguments))
                    .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
                    .start();
            running = process;
            try (var _ = process.outputWriter()) {
                return new Ending(
                        follow(process, limit, silence, lines),
                        process.isAlive() ? 0 : process.exitValue(),
                        lastWords(logged));
            } finally {
                end(process);
            }
        } catch (IOException e) {
            throw QuernException.io("a stage cannot be run", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static End follow(Process process, Duration limit, Duration silence, Consumer<JsonNode> lines)
            throws InterruptedException {
        BlockingQueue<Optional<String>> output = new LinkedBlockingQueue<>();
        Thread.ofVirtual().start(() -> read(process, output));
        long end = System.nanoTime() + limit.toNanos();
        while (true) {
            long left = end - System.nanoTime();
            Optional<String> line = output.poll(Math.min(left, silence.toNanos()), TimeUnit.NANOSECONDS);
            if (line == null) {
                return left <= silence.toNanos() ? End.TIME_OVER : End.SILENT;
            }
            if (line.isEmpty()) {
                process.waitFor(Math.max(1, end - System.nanoTime()), TimeUnit.NANOSECONDS);
                return process.isAlive() ? End.TIME_OVER : End.EXIT;
            }
            if (line.get().startsWith("{")) {
                parse(line.get()).ifPresent(lines);
            }
        }
    }

    private static void read(Process process, BlockingQueue<Optional<String>> output) {
        try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                output.add(Optional.of(line));
            }
        } catch (IOException _) {
            // It was ended.
        }
        output.add(Optional.empty());
    }

    /// What a JVM prints that breaks down is no JSON, whatever it begins with.
    private static Optional<JsonNode> parse(String line) {
        try {
            return Optional.of(Json.MAPPER.readTree(line));
        } catch (JacksonException _) {
            return Optional.empty();
        }
    }

    /// Those that it started first: they are known only as long as it lives.
    private static void end(Process process) {
        process.descendants().toList().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        try {
            process.waitFor(SECONDS_TO_DIE, TimeUnit.SECONDS);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private String lastWords(long from) throws IOException {
        byte[] all = Files.readAllBytes(log);
        String words = new String(all, (int) from, all.length - (int) from, StandardCharsets.UTF_8).strip();
        return words.substring(Math.max(0, words.length() - WORDS)).replaceAll("\\s+", " ");
    }
}
