package org.quern.launcher.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.quern.base.QuernException;

/// Two workers of torchrun, in Python.
public final class RestartedTorchrun implements RestartedGroup {
    private final String name;
    private final KillClock clock = new KillClock();
    private final Process torchrun;
    private volatile long victim;

    /// Starts them.
    ///
    /// @param torchrun the program
    /// @param arguments of `restart_torchrun.py`
    public RestartedTorchrun(String name, String torchrun, Path folder, List<String> arguments) {
        this.name = name;
        Path script = folder.resolve("restart_torchrun.py");
        List<String> command = new ArrayList<>(List.of(
                torchrun, "--standalone", "--nproc-per-node", "2", "--max-restarts", "1000", script.toString()));
        command.addAll(arguments);
        try (InputStream in = getClass().getResourceAsStream("/bench/restart_torchrun.py")) {
            Files.write(script, Objects.requireNonNull(in).readAllBytes());
            this.torchrun = new ProcessBuilder(command).start();
        } catch (IOException e) {
            throw QuernException.data("%s cannot be run: %s".formatted(torchrun, e.getMessage()));
        }
        read(this.torchrun.inputReader(), this::said);
        read(this.torchrun.errorReader(), line -> {
            if (line.contains("exitcode: -9")) {
                clock.detected();
            }
        });
    }

    private static void read(BufferedReader reader, Consumer<String> each) {
        Thread.ofPlatform().daemon().start(() -> {
            try (reader) {
                reader.lines().forEach(each);
            } catch (IOException | UncheckedIOException _) {
                // It has ended.
            }
        });
    }

    private void said(String line) {
        String[] words = line.split(" ");
        if (words.length != 3) {
            return;
        }
        if (words[1].equals("1")) {
            victim = Long.parseLong(words[2]);
        } else if (words[0].equals("main")) {
            clock.started();
        } else {
            clock.stepped();
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Recovery kill() throws InterruptedException {
        clock.awaitSteps(name);
        ProcessHandle worker = ProcessHandle.of(victim).orElseThrow();
        clock.killed();
        worker.destroyForcibly();
        clock.awaitSteps(name);
        return clock.recovery();
    }

    @Override
    public void close() {
        torchrun.descendants().forEach(ProcessHandle::destroyForcibly);
        torchrun.destroyForcibly();
    }
}
