package org.quern.launcher.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.config.ConfigWriter;
import org.quern.config.RunConfig;
import org.quern.launcher.cluster.Launch;
import org.quern.launcher.cluster.Role;
import org.quern.launcher.cluster.WorkerProgram;
import org.quern.launcher.cluster.WorkerRequest;
import org.quern.train.TrainEvent;
import tools.jackson.databind.JsonNode;

/// Two workers of Quern, and the launcher in this process.
public final class RestartedRun implements RestartedGroup {
    private final KillClock clock = new KillClock();
    private final Thread launcher;
    private final Path workers;
    private volatile Consumer<WorkerRequest> requests = _ -> {};

    /// Starts them.
    ///
    /// @param command of a worker
    public RestartedRun(List<String> command, RunConfig config, Path run) {
        workers = run.resolve("logs/workers.json");
        Launch launch = new Launch(
                new Role.Launcher("bench", 0, 1, Optional.of("2"), Optional.empty()),
                2,
                new WorkerProgram(command, Map.of(), true),
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
        } else if (line.contains("processes stand by")) {
            clock.standsBy();
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
        clock.awaitStandby(name());
        ProcessHandle worker = victim();
        clock.killed();
        worker.destroyForcibly();
        clock.awaitSteps(name());
        return clock.recovery();
    }

    /// Worker 1, as the launcher has written down.
    private ProcessHandle victim() {
        try {
            for (JsonNode worker :
                    Json.MAPPER.readTree(Files.readString(workers)).path("workers")) {
                if (worker.path("rank").asInt() == 1) {
                    return ProcessHandle.of(worker.path("pid").asLong()).orElseThrow();
                }
            }
            throw QuernException.data("%s does not know worker 1".formatted(workers));
        } catch (IOException e) {
            throw QuernException.io("%s cannot be read".formatted(workers), e);
        }
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
