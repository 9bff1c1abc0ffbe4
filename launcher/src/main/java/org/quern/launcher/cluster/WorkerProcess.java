package org.quern.launcher.cluster;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.quern.launcher.cluster.LauncherMessage.Ask;
import org.quern.launcher.cluster.LauncherMessage.Begin;
import org.quern.launcher.cluster.NodeEvent.WorkerState;
import org.quern.launcher.cluster.WorkerMessage.Beat;
import org.quern.launcher.cluster.WorkerMessage.Ended;
import org.quern.launcher.cluster.WorkerMessage.Event;
import org.quern.launcher.cluster.WorkerMessage.Ready;
import org.quern.train.TrainEvent;

/// A worker of this machine, as its launcher sees it.
///
/// The end of the worker's standard input means that there is no launcher any more: whatever ends the launcher
/// ends the workers.
final class WorkerProcess {
    private static final int LAST_LINES = 30;
    /// A JVM that starts says nothing for a while.
    private static final Duration START_LIMIT = Duration.ofMinutes(2);
    private static final Duration LATELY = Duration.ofSeconds(5);
    /// What is left in the pipes of a process that has ended is read in less.
    private static final Duration OUTPUT_LIMIT = Duration.ofSeconds(2);

    private final Process process;
    private final Writer input;
    private final Consumer<TrainEvent> training;
    private final Thread output;
    private final Thread errors;

    private final Deque<String> lastLines = new ArrayDeque<>();
    private Assignment assignment;
    private Consumer<String> display;
    private Writer file;
    private long lifeNanos = System.nanoTime();
    private long seenNanos = lifeNanos;
    private boolean hasLived;
    private long progressNanos = lifeNanos;
    private Beat beat = new Beat(0, 0, "");
    private long usedNanos;
    private long usedAtNanos = lifeNanos;
    private boolean isReady;
    private Ended ended;

    /// @param log gets all that it prints
    /// @param display gets it, too, a line each
    /// @param training gets the run's events, if it is the worker that tells them
    WorkerProcess(
            WorkerProgram program,
            Assignment assignment,
            Path log,
            Consumer<String> display,
            Consumer<TrainEvent> training)
            throws IOException {
        this.assignment = assignment;
        this.display = display;
        this.training = training;
        file = open(log);
        ProcessBuilder builder = new ProcessBuilder(program.command());
        builder.environment().putAll(program.environment());
        builder.environment().putAll(assignment.environment());
        process = builder.start();
        input = process.outputWriter(StandardCharsets.UTF_8);
        output = reading(process.inputReader(StandardCharsets.UTF_8), this::standardOutput);
        errors = reading(process.errorReader(StandardCharsets.UTF_8), this::print);
    }

    private static Writer open(Path log) throws IOException {
        return Files.newBufferedWriter(log, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    /// Gives one that is ready its place.
    ///
    /// @param log gets all that it prints from now on
    /// @param display gets it, too
    synchronized void begin(Assignment place, Path log, Consumer<String> display) throws IOException {
        closeLog();
        file = open(log);
        lastLines.clear();
        assignment = place;
        this.display = display;
        long now = System.nanoTime();
        lifeNanos = now;
        seenNanos = now;
        progressNanos = now;
        cpu(now);
        tell(new Begin(place));
    }

    /// Whether it has rehearsed, waits for its place, and has lately said that it lives.
    synchronized boolean isReady() {
        return isReady && isAlive() && System.nanoTime() - lifeNanos < LATELY.toNanos();
    }

    synchronized int rank() {
        return assignment.rank();
    }

    long pid() {
        return process.pid();
    }

    /// Calls an action with the exit code when the process has ended and all that it printed is read.
    ///
    /// Not by [Process#onExit()], which needs a thread of the common pool.
    void whenEnded(IntConsumer action) {
        thread("end", () -> {
            try {
                int code = process.waitFor();
                output.join(OUTPUT_LIMIT);
                errors.join(OUTPUT_LIMIT);
                closeLog();
                action.accept(code);
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        });
    }

    /// One that has ended as it should while others go on is not silent.
    boolean isAlive() {
        return process.isAlive();
    }

    /// @param expected time since the last call: what came later than that was this process's being halted, or
    ///     short of processors, in which it heard no signs of life
    synchronized WorkerState state(Duration expected) {
        long now = System.nanoTime();
        long away = Math.max(0, now - seenNanos - 2 * expected.toNanos());
        seenNanos = now;
        lifeNanos = Math.min(now, lifeNanos + away);
        progressNanos = Math.min(now, progressNanos + away);
        if (!hasLived) {
            long late = Math.max(0, now - lifeNanos - START_LIMIT.toNanos());
            return new WorkerState(
                    rank(), process.pid(), TimeUnit.NANOSECONDS.toMillis(late), 0, 0, "", cpu(now), memoryBytes());
        }
        return new WorkerState(
                rank(),
                process.pid(),
                TimeUnit.NANOSECONDS.toMillis(now - lifeNanos),
                TimeUnit.NANOSECONDS.toMillis(now - progressNanos),
                beat.calls(),
                beat.call(),
                cpu(now),
                memoryBytes());
    }

    private double cpu(long now) {
        long used = process.info().totalCpuDuration().map(Duration::toNanos).orElse(usedNanos);
        double share = (used - usedNanos) / (double) Math.max(1, now - usedAtNanos);
        usedNanos = used;
        usedAtNanos = now;
        return share;
    }

    /// Linux counts in pages of 4 KiB.
    private long memoryBytes() {
        try {
            String[] pages = Files.readString(Path.of("/proc/%d/statm".formatted(process.pid())))
                    .split(" ");
            return Long.parseLong(pages[1]) * 4096;
        } catch (IOException | ArrayIndexOutOfBoundsException | NumberFormatException _) {
            return 0; // it has ended, or this is no Linux
        }
    }

    /// Whether it has ended, or is about to, as a worker should with this exit code.
    synchronized boolean isGoodEnd(int code) {
        return ended != null && code == WorkerLink.exitCode(ended.complete()).code();
    }

    synchronized List<String> lastLines() {
        return List.copyOf(lastLines);
    }

    @Override
    public synchronized String toString() {
        return "worker %d (node %d, process %d)".formatted(rank(), assignment.node(), process.pid());
    }

    void ask(WorkerRequest request) {
        tell(new Ask(request));
    }

    private void tell(LauncherMessage message) {
        try {
            input.write(Tagged.write((Record) message) + "\n");
            input.flush();
        } catch (IOException _) {
            // It has ended: others will say why.
        }
    }

    /// Lets it end at once, in order.
    void end() {
        try {
            input.close();
        } catch (IOException _) {
            // It has ended.
        }
    }

    void kill() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    private Thread reading(BufferedReader reader, Consumer<String> each) {
        return thread("output", () -> {
            try (reader) {
                reader.lines().forEach(each);
            } catch (UncheckedIOException | IOException _) {
                // The process has ended.
            }
        });
    }

    private Thread thread(String what, Runnable action) {
        return Thread.ofPlatform()
                .daemon()
                .name("%s of worker %d".formatted(what, rank()))
                .start(action);
    }

    private void standardOutput(String line) {
        if (!line.startsWith(WorkerMessage.MARK)) {
            print(line);
            return;
        }
        switch (Tagged.read(WorkerMessage.class, line.substring(WorkerMessage.MARK.length()))) {
            case Beat next -> beat(next);
            case Event event -> training.accept(event.training());
            case Ready _ -> {
                synchronized (this) {
                    isReady = true;
                }
            }
            case Ended end -> {
                synchronized (this) {
                    ended = end;
                }
            }
        }
    }

    private synchronized void beat(Beat next) {
        lifeNanos = System.nanoTime();
        if (!hasLived || next.progress() != beat.progress()) {
            progressNanos = lifeNanos;
        }
        hasLived = true;
        beat = next;
    }

    private void print(String line) {
        Consumer<String> shown;
        synchronized (this) {
            shown = display;
            if (lastLines.size() == LAST_LINES) {
                lastLines.removeFirst();
            }
            lastLines.addLast(line);
            try {
                file.write(line + "\n");
                file.flush();
            } catch (IOException _) {
                // A full disk must not stop the run; the line is shown, too.
            }
        }
        shown.accept("[%d] %s".formatted(rank(), line));
    }

    private synchronized void closeLog() {
        try {
            file.close();
        } catch (IOException _) {
            // As above.
        }
    }
}
