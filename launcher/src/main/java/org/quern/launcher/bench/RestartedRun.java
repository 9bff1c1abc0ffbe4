package org.quern.launcher.bench;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.quern.config.ConfigWriter;
import org.quern.config.RunConfig;
import org.quern.launcher.cluster.Launch;
import org.quern.launcher.cluster.Role;
import org.quern.launcher.cluster.WorkerProgram;
import org.quern.launcher.cluster.WorkerRequest;
import org.quern.train.TrainEvent;

/// Two workers of Quern, and the launcher in this process.
public final class RestartedRun implements RestartedGroup {
    private final KillClock clock = new KillClock();
    private final Thread launcher;
    private volatile Consumer<WorkerRequest> requests = _ -> {};

    /// Starts them.
    ///
    /// @param command of a worker
    public RestartedRun(List<String> command, RunConfig config, Path run) {
        Launch launch = new Launch(
                new Role.Launcher("bench", 0, 1, Optional.of("2"), Optional.empty()),
                2,
                new WorkerProgram(command, Map.of()),
                config.workers(),
                ConfigWriter.yaml(config),
                run.resolve("logs"),
                this::shown,
                this::happened);
        launcher = Thread.ofPlatform().daemon().name("launcher").start(() -> {
            try {
                launch.run(to -> requests = to);
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        });
    }

    private void shown(String line) {
        if (line.contains("was ended by SIGKILL")) {
            clock.detected();
        }
    }

    private void happened(TrainEvent event) {
        switch (event) {
            case TrainEvent.Started _ -> clock.started();
            case TrainEvent.Step _ -> clock.stepped();
            default -> {}
        }
    }

    @Override
    public String name() {
        return "Quern";
    }

    @Override
    public Recovery kill() throws InterruptedException {
        clock.awaitSteps(name());
        ProcessHandle worker = ProcessHandle.current()
                .children()
                .filter(child -> child.info().command().orElse("").endsWith("java"))
                .max(ProcessHandle::compareTo)
                .orElseThrow();
        clock.killed();
        worker.destroyForcibly();
        clock.awaitSteps(name());
        return clock.recovery();
    }

    @Override
    public void close() {
        requests.accept(WorkerRequest.STOP);
        try {
            launcher.join();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
