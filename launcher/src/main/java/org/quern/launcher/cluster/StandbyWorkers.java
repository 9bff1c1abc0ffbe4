package org.quern.launcher.cluster;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.quern.collective.CommunicatorException;
import org.quern.train.TrainEvent;

/// Processes of a machine, one for each worker, that have rehearsed together and wait: when a worker fails, the next
/// attempt is theirs. A new JVM would take seconds until what trains is compiled.
///
/// What happens to them is no failure of the run. They are started again, a few times at most.
final class StandbyWorkers {
    private static final int MOST_FAILURES = 3;

    private final WorkerProgram program;
    private final Path logs;
    private final Consumer<String> display;
    private final Consumer<TrainEvent> training;

    private List<WorkerProcess> processes = List.of();
    /// As long as some may have to join.
    private WorkersMemory memory = WorkersMemory.NONE;
    private boolean isReady;
    private int failures;

    /// @param logs folder of the logs; what these print is in one of its own
    /// @param training gets the run's events when they have their places
    StandbyWorkers(WorkerProgram program, Path logs, Consumer<String> display, Consumer<TrainEvent> training) {
        this.program = program;
        this.logs = logs;
        this.display = display;
        this.training = training;
    }

    /// Looks after so many, and starts them if they are not there. To be called again and again.
    void keep(int count, int node) {
        if (!program.rehearses() || failures == MOST_FAILURES) {
            return;
        }
        if (processes.isEmpty()) {
            start(count, node);
        } else if (!processes.stream().allMatch(WorkerProcess::isAlive)) {
            failed("one has ended");
        } else if (!isReady && processes.stream().allMatch(WorkerProcess::isReady)) {
            isReady = true;
            forgetMemory();
            display.accept("%d processes stand by, to go on at once if a worker fails: %s"
                    .formatted(
                            count,
                            processes.stream()
                                    .map(process -> "" + process.pid())
                                    .collect(Collectors.joining(", "))));
        }
    }

    /// So many that are ready, which are the caller's from now on; or none.
    List<WorkerProcess> take(int count) {
        List<WorkerProcess> ready = processes;
        if (!isReady || ready.size() != count || !ready.stream().allMatch(WorkerProcess::isReady)) {
            return List.of();
        }
        processes = List.of();
        isReady = false;
        failures = 0;
        return ready;
    }

    /// Ends them without waiting.
    void kill() {
        processes.forEach(WorkerProcess::kill);
        processes = List.of();
        isReady = false;
        forgetMemory();
    }

    private void start(int count, int node) {
        List<WorkerProcess> started = new ArrayList<>();
        processes = started;
        Path folder = logs.resolve("standby-" + node);
        try {
            Files.createDirectories(folder);
            memory = WorkersMemory.create(count, Assignment.REHEARSAL);
            for (int rank = 0; rank < count; rank++) {
                started.add(new WorkerProcess(
                        program,
                        memory.in(Assignment.rehearsal(rank, count, node)),
                        folder.resolve("rank-%d.txt".formatted(rank)),
                        _ -> {},
                        training));
            }
        } catch (IOException | CommunicatorException e) {
            failed(e.getMessage());
        }
    }

    private void failed(String reason) {
        kill();
        if (++failures == MOST_FAILURES) {
            display.accept(
                    "no processes stand by, as they fail (%s; logs/standby-* say more): a restart starts new ones"
                            .formatted(reason));
        }
    }

    private void forgetMemory() {
        memory.close();
        memory = WorkersMemory.NONE;
    }
}
