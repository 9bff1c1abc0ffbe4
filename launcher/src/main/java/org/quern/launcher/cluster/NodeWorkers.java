package org.quern.launcher.cluster;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.collective.CommunicatorException;
import org.quern.launcher.cluster.NodeCommand.Ask;
import org.quern.launcher.cluster.NodeCommand.Bye;
import org.quern.launcher.cluster.NodeCommand.End;
import org.quern.launcher.cluster.NodeCommand.Ping;
import org.quern.launcher.cluster.NodeCommand.Start;
import org.quern.launcher.cluster.NodeEvent.Beat;
import org.quern.launcher.cluster.NodeEvent.Failed;
import org.quern.launcher.cluster.NodeEvent.Stopped;
import org.quern.train.TrainEvent;

/// The workers of this machine: does what it is commanded, and tells what happens to them.
final class NodeWorkers implements AutoCloseable {
    /// A killed process is gone in less, if it ever is.
    static final Duration KILL_LIMIT = Duration.ofSeconds(30);
    /// Others stand by after this time: who starts and trains little shall not have to wait for them.
    private static final Duration STANDBY_DELAY = Duration.ofSeconds(10);

    private final WorkerProgram program;
    private final Path logs;
    private final Consumer<String> display;
    private final Consumer<TrainEvent> training;
    private final Consumer<NodeEvent> events;
    private final Duration beat;
    private final StandbyWorkers standby;
    private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(
            task -> Thread.ofPlatform().daemon().name("workers' clock").unstarted(task));

    private long epoch = -1;
    private List<WorkerProcess> workers = List.of();
    private WorkersMemory memory = WorkersMemory.NONE;
    private long startNanos;
    private int node;
    private int left;
    private int code;
    private boolean isEnding;

    /// @param logs folder of what the workers print
    /// @param beat time between two signs of life
    NodeWorkers(
            WorkerProgram program,
            Path logs,
            Duration beat,
            Consumer<String> display,
            Consumer<TrainEvent> training,
            Consumer<NodeEvent> events) {
        this.program = program;
        this.logs = logs;
        this.display = display;
        this.training = training;
        this.events = events;
        this.beat = beat;
        standby = new StandbyWorkers(program, logs, display, training);
        clock.scheduleAtFixedRate(this::beat, beat.toNanos(), beat.toNanos(), TimeUnit.NANOSECONDS);
    }

    synchronized void perform(NodeCommand command) {
        switch (command) {
            case Start start -> start(start);
            case Ask ask -> workers.forEach(worker -> worker.ask(ask.request()));
            case End end
            when end.epoch() == epoch && left > 0 -> {
                isEnding = true;
                workers.forEach(WorkerProcess::end);
                List<WorkerProcess> these = workers;
                clock.schedule(() -> these.forEach(WorkerProcess::kill), end.graceMillis(), TimeUnit.MILLISECONDS);
            }
            case End end -> events.accept(new Stopped(end.epoch(), ExitCode.OK.code()));
            case Ping _ -> {}
            case Bye _ -> close();
        }
    }

    /// Ends all workers at once.
    ///
    /// @throws QuernException if one of them does not end
    synchronized void kill() throws InterruptedException {
        isEnding = true;
        workers.forEach(WorkerProcess::kill);
        long deadline = System.nanoTime() + KILL_LIMIT.toNanos();
        while (left > 0) {
            long millis = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (millis <= 0) {
                throw new QuernException(ExitCode.RETRYABLE, "a worker cannot be ended: " + workers);
            }
            wait(millis);
        }
    }

    /// Ends all workers without waiting.
    @Override
    public synchronized void close() {
        isEnding = true;
        workers.forEach(WorkerProcess::kill);
        standby.kill();
        forgetMemory();
        clock.shutdownNow();
    }

    private void start(Start start) {
        epoch = start.epoch();
        isEnding = false;
        code = ExitCode.OK.code();
        startNanos = System.nanoTime();
        node = start.workers().getFirst().node();
        left = start.workers().size();
        List<WorkerProcess> started = new ArrayList<>(standby.take(left));
        List<WorkerProcess> waiting = List.copyOf(started);
        workers = started;
        try {
            Path folder = Files.createDirectories(logs.resolve("attempt-" + epoch));
            if (start.workers().getFirst().collective().equals(Assignment.SHARED)) {
                memory = WorkersMemory.create(left, epoch);
            }
            for (int i = 0; i < left; i++) {
                Assignment worker = memory.in(start.workers().get(i));
                Path log = folder.resolve("rank-%d.txt".formatted(worker.rank()));
                if (waiting.isEmpty()) {
                    started.add(new WorkerProcess(program, worker, log, display, training));
                } else {
                    waiting.get(i).begin(worker, log, display);
                }
            }
        } catch (IOException | CommunicatorException e) {
            isEnding = true;
            started.forEach(WorkerProcess::kill);
            left = started.size();
            events.accept(new Failed(
                    epoch,
                    new Failure(
                            "node " + node,
                            "cannot start its workers: " + e.getMessage(),
                            ExitCode.RETRYABLE.code(),
                            false,
                            List.of())));
        }
        long of = epoch;
        started.forEach(worker -> worker.whenEnded(exit -> ended(of, worker, exit)));
        if (started.isEmpty()) {
            events.accept(new Stopped(epoch, code));
        }
    }

    private synchronized void ended(long of, WorkerProcess worker, int exit) {
        if (of != epoch) {
            return;
        }
        if (worker.isGoodEnd(exit)) {
            code = Math.max(code, exit);
        } else if (!isEnding) {
            events.accept(new Failed(epoch, Failure.of(worker.toString(), exit, worker.lastLines())));
        }
        if (--left == 0) {
            workers = List.of();
            forgetMemory();
            events.accept(new Stopped(epoch, code));
            notifyAll();
        }
    }

    private void forgetMemory() {
        memory.close();
        memory = WorkersMemory.NONE;
    }

    private synchronized void beat() {
        boolean isWatching = left > 0 && !isEnding;
        if (isWatching && System.nanoTime() - startNanos > STANDBY_DELAY.toNanos()) {
            standby.keep(workers.size(), node);
        }
        events.accept(new Beat(
                epoch,
                isWatching
                        ? workers.stream()
                                .filter(WorkerProcess::isAlive)
                                .map(worker -> worker.state(beat))
                                .toList()
                        : List.of()));
    }
}
