package org.quern.launcher.cluster;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.quern.base.ExitCode;
import org.quern.config.RunConfig;
import org.quern.launcher.cluster.NodeEvent.Asked;
import org.quern.launcher.cluster.NodeEvent.Beat;
import org.quern.launcher.cluster.NodeEvent.Failed;
import org.quern.launcher.cluster.NodeEvent.Stopped;
import org.quern.launcher.cluster.NodeEvent.WorkerState;
import org.quern.train.TrainEvent;

/// The decisions of a job, made by the launcher of node 0: starts an attempt when all machines are there, ends
/// it when something fails, and starts the next one from the newest checkpoint, as long as there is progress.
final class Job {
    /// Time in which a worker may fail that others failed because of.
    private static final Duration CAUSE_LIMIT = Duration.ofMillis(1500);

    /// A machine that has come.
    ///
    /// @param host where its workers can be reached
    /// @param workers how many it starts
    /// @param commands its ear
    record Node(String host, int workers, Consumer<NodeCommand> commands) {}

    private enum Phase {
        GATHERING,
        RUNNING,
        /// Something failed: for a moment others may, for which it failed.
        BLAMING,
        ENDING
    }

    private final RunConfig.Workers limits;
    private final int size;
    private final Attempts attempts;
    private final JobRecord record;
    private final Consumer<String> display;
    private final TrainEvent.Listener training;
    private final BlockingQueue<Runnable> events = new LinkedBlockingQueue<>();

    private final Map<Integer, Node> nodes = new TreeMap<>();
    private final Map<Integer, Long> heardNanos = new HashMap<>();
    private final Map<Integer, List<WorkerState>> states = new HashMap<>();
    private final Map<Integer, Integer> stopped = new HashMap<>();
    private final List<Failure> failures = new ArrayList<>();
    private Phase phase = Phase.GATHERING;
    private long deadlineNanos;
    private long epoch;
    private int restarts;
    private long savedStep = -1;
    private boolean hasBegun;
    private boolean isStopping;
    private Optional<Integer> code = Optional.empty();

    /// Makes the table of an attempt.
    interface Attempts {
        /// @return the workers of each node
        Map<Integer, List<Assignment>> assign(long epoch, Map<Integer, Node> nodes);
    }

    /// @param size number of machines
    /// @param firstEpoch number of the first attempt
    /// @param training gets the events of the run
    Job(
            RunConfig.Workers limits,
            int size,
            long firstEpoch,
            Attempts attempts,
            JobRecord record,
            Consumer<String> display,
            TrainEvent.Listener training) {
        this.limits = limits;
        this.size = size;
        this.epoch = firstEpoch;
        this.attempts = attempts;
        this.record = record;
        this.display = display;
        this.training = training;
    }

    // From other threads.

    void join(int index, Node node) {
        events.add(() -> joined(index, node));
    }

    /// @param node as it joined: a machine that came anew is another one
    void leave(int index, Node node, String reason) {
        events.add(() -> left(index, node, reason));
    }

    void on(int index, NodeEvent event) {
        events.add(() -> handle(index, event));
    }

    void on(TrainEvent event) {
        events.add(() -> trained(event));
    }

    /// Runs the job.
    ///
    /// @return its exit code
    int run() throws InterruptedException {
        setDeadline(seconds(limits.joinTimeout()));
        while (code.isEmpty()) {
            long wait = Math.min(
                    deadlineNanos - System.nanoTime(), Duration.ofSeconds(1).toNanos());
            Runnable event = events.poll(Math.max(0, wait), TimeUnit.NANOSECONDS);
            if (event != null) {
                event.run();
            } else if (deadlineNanos - System.nanoTime() <= 0) {
                late();
            }
            if (phase == Phase.RUNNING) {
                findSilentNodes();
            }
        }
        tell(new NodeCommand.Bye(code.get()));
        return code.get();
    }

    private void joined(int index, Node node) {
        nodes.put(index, node);
        heardNanos.put(index, System.nanoTime());
        if (size > 1) {
            display.accept("node %d is there: %s with %d workers (%d of %d nodes)"
                    .formatted(index, node.host(), node.workers(), nodes.size(), size));
        }
        startIfComplete();
    }

    private void left(int index, Node node, String reason) {
        if (nodes.get(index) != node) {
            return;
        }
        nodes.remove(index);
        stopped.put(index, 0);
        if (phase != Phase.GATHERING) {
            fail(new Failure("node " + index, reason, ExitCode.RETRYABLE.code(), true, List.of()));
        }
        endIfStopped();
    }

    private void handle(int index, NodeEvent event) {
        heardNanos.put(index, System.nanoTime());
        switch (event) {
            case Beat beat
            when beat.epoch() == epoch -> {
                states.put(index, beat.workers());
                record.workers(epoch, nodes, states);
                if (phase == Phase.RUNNING) {
                    findHungWorkers();
                }
            }
            case Failed failed when failed.epoch() == epoch -> fail(failed.failure());
            case Stopped end
            when end.epoch() == epoch -> {
                stopped.put(index, end.code());
                endIfStopped();
            }
            case Asked asked -> ask(asked.request());
            case Beat _, Failed _, Stopped _ -> {} // of an earlier attempt
        }
    }

    private void ask(WorkerRequest request) {
        tell(new NodeCommand.Ask(request));
        if (request == WorkerRequest.STOP) {
            isStopping = true;
            if (phase == Phase.GATHERING) {
                code = Optional.of(ExitCode.PREEMPTED.code());
            }
        }
    }

    private void trained(TrainEvent event) {
        switch (event) {
            case TrainEvent.Started _ -> hasBegun = true;
            case TrainEvent.CheckpointSaved saved
            when saved.step() > savedStep -> {
                savedStep = saved.step();
                restarts = 0;
            }
            default -> {}
        }
        training.on(event);
    }

    private void startIfComplete() {
        if (phase != Phase.GATHERING || nodes.size() < size) {
            return;
        }
        phase = Phase.RUNNING;
        setDeadline(Duration.ofDays(365));
        failures.clear();
        stopped.clear();
        states.clear();
        hasBegun = false;
        attempts.assign(epoch, nodes)
                .forEach((index, workers) -> nodes.get(index).commands().accept(new NodeCommand.Start(epoch, workers)));
    }

    /// Node 0 is this machine: without it there is no job.
    private void findSilentNodes() {
        long now = System.nanoTime();
        nodes.keySet().stream()
                .filter(index -> index > 0
                        && now - heardNanos.get(index)
                                > seconds(limits.timeout()).toNanos())
                .findFirst()
                .ifPresent(index ->
                        left(index, nodes.get(index), "gave no sign of life for %s s".formatted(limits.timeout())));
    }

    private void findHungWorkers() {
        List<WorkerState> all = states.values().stream().flatMap(List::stream).toList();
        all.stream()
                .filter(worker ->
                        worker.silentMillis() > seconds(limits.timeout()).toMillis())
                .max(Comparator.comparing(WorkerState::silentMillis))
                .ifPresent(worker -> hung(
                        worker,
                        "gave no sign of life for %s s (workers.timeout): it was halted, or its machine is overloaded"
                                .formatted(limits.timeout())));
        if (phase == Phase.RUNNING
                && !all.isEmpty()
                && all.stream()
                        .allMatch(worker -> worker.stuckMillis()
                                > seconds(limits.stepTimeout()).toMillis())) {
            // Those that wait in a call of the others wait for the one that has not come there.
            WorkerState culprit = all.stream()
                    .min(Comparator.comparing(WorkerState::calls)
                            .thenComparing(worker -> !worker.call().isEmpty()))
                    .orElseThrow();
            hung(
                    culprit,
                    "did not go on for %s s (workers.step_timeout) %s"
                            .formatted(
                                    limits.stepTimeout(),
                                    culprit.call().isEmpty()
                                            ? "after its collective call %d".formatted(culprit.calls())
                                            : "in its collective call %d, %s"
                                                    .formatted(culprit.calls(), culprit.call())));
        }
    }

    private void hung(WorkerState worker, String reason) {
        fail(new Failure("worker " + worker.rank(), reason, ExitCode.RETRYABLE.code(), true, List.of()));
    }

    private void fail(Failure failure) {
        if (phase != Phase.RUNNING && phase != Phase.BLAMING) {
            return;
        }
        failures.add(failure);
        boolean mayBeFollowing = failure.code() == ExitCode.RETRYABLE.code() && !failure.hung();
        if (!mayBeFollowing) {
            end(failure);
        } else if (phase == Phase.RUNNING) {
            phase = Phase.BLAMING;
            setDeadline(CAUSE_LIMIT);
        }
    }

    /// Ends the attempt.
    private void end(Failure cause) {
        phase = Phase.ENDING;
        failures.addFirst(cause);
        display.accept(cause.toString());
        Duration grace = cause.hung() ? Duration.ZERO : seconds(limits.grace());
        setDeadline(grace.plus(NodeWorkers.KILL_LIMIT));
        tell(new NodeCommand.End(epoch, grace.toMillis()));
        endIfStopped();
    }

    private void late() {
        switch (phase) {
            case GATHERING -> {
                display.accept("only %d of %d nodes came in %s s (workers.join_timeout): %s"
                        .formatted(nodes.size(), size, limits.joinTimeout(), nodes.keySet()));
                code = Optional.of(ExitCode.RETRYABLE.code());
            }
            case BLAMING -> end(failures.getFirst());
            case ENDING -> {
                display.accept("a worker cannot be ended: %s".formatted(stopped.keySet()));
                code = Optional.of(ExitCode.RETRYABLE.code());
            }
            case RUNNING -> {}
        }
    }

    private void endIfStopped() {
        if (phase == Phase.GATHERING || !stopped.keySet().containsAll(nodes.keySet())) {
            return;
        }
        if (phase == Phase.BLAMING) {
            end(failures.getFirst());
        } else if (phase == Phase.RUNNING) {
            code = stopped.values().stream().max(Comparator.naturalOrder());
        } else {
            decide(failures.getFirst());
        }
    }

    /// After an attempt that failed.
    private void decide(Failure cause) {
        boolean again = !isStopping && !isHopeless(cause.code()) && restarts < limits.maxRestarts();
        record.failed(cause, again ? restarts + 1 : 0);
        if (isStopping) {
            // What had not begun has lost nothing by being stopped.
            code = Optional.of(hasBegun ? cause.code() : ExitCode.PREEMPTED.code());
        } else if (isHopeless(cause.code()) || limits.maxRestarts() == 0) {
            code = Optional.of(cause.code());
        } else if (restarts == limits.maxRestarts()) {
            display.accept(
                    "%d restarts brought no new checkpoint (workers.max_restarts): the failure is not one of chance"
                            .formatted(restarts));
            code = Optional.of(ExitCode.DO_NOT_RESTART.code());
        } else {
            restarts++;
            epoch++;
            phase = Phase.GATHERING;
            setDeadline(seconds(limits.joinTimeout()));
            display.accept("starting all workers again (restart %d of %d without a new checkpoint)"
                    .formatted(restarts, limits.maxRestarts()));
            startIfComplete();
        }
    }

    /// Whether a restart would end alike.
    private static boolean isHopeless(int code) {
        return code == ExitCode.USAGE.code() || code == ExitCode.DATA.code() || code == ExitCode.DO_NOT_RESTART.code();
    }

    private void tell(NodeCommand command) {
        nodes.values().forEach(node -> node.commands().accept(command));
    }

    private void setDeadline(Duration duration) {
        deadlineNanos = System.nanoTime() + duration.toNanos();
    }

    private static Duration seconds(double seconds) {
        return Duration.ofNanos((long) (seconds * 1e9));
    }
}
