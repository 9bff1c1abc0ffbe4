package org.quern.train.profile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.quern.executor.Executor;
import org.quern.train.Device;
import org.quern.train.TrainEvent;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Times the operations of a few steps, from the third of this start of the run on, and then writes into the run's
/// folder `profile/table.txt`, what each kind of operation takes, and `profile/trace.json`, for chrome://tracing or
/// Perfetto. Timed steps change the weights as others do.
public final class Profiler {
    private static final Logger LOG = LoggerFactory.getLogger(Profiler.class);

    /// Steps in which memory is allocated and kernels are loaded or compiled.
    private static final int WARMUP = 2;

    private static final int STEPS = 3;

    /// The last of a run's steps that are timed, from 1.
    public static final int LAST_STEP = WARMUP + STEPS;

    private final Executor executor;
    private final Device device;
    private final Path run;
    private final TrainEvent.Listener listener;
    private final List<TimedStep> timed = new ArrayList<>();
    private long step;
    private int seen;
    private boolean written;

    /// @param device that the executor uses
    /// @param run the run's folder
    /// @param firstStep steps that are done
    public Profiler(Executor executor, Device device, Path run, long firstStep, TrainEvent.Listener listener) {
        this.executor = executor;
        this.device = device;
        this.run = run;
        this.listener = listener;
        step = firstStep;
    }

    /// Takes a step of the run, timed if it is one of those.
    public void around(Runnable work) {
        step++;
        seen++;
        if (seen <= WARMUP || seen > WARMUP + STEPS) {
            work.run();
            return;
        }
        List<TimedOperation> operations = new ArrayList<>();
        long began = System.nanoTime();
        executor.observe(
                Optional.of((operation, start, nanos) -> operations.add(new TimedOperation(operation, start, nanos))));
        try {
            work.run();
        } finally {
            executor.observe(Optional.empty());
        }
        timed.add(new TimedStep(step, System.nanoTime() - began, operations));
        if (timed.size() == STEPS) {
            write();
        }
    }

    /// The run has ended: writes what there is, unless all steps were timed.
    public void finish() {
        if (timed.isEmpty()) {
            LOG.warn("no profile: the first {} steps are not timed, and the run ended after {}", WARMUP, seen);
        } else if (!written) {
            write();
        }
    }

    private void write() {
        written = true;
        String table = new ProfileTable(timed, device, executor.clock()).toString();
        listener.on(new TrainEvent.Profiled(step, table, writeFiles(table)));
    }

    /// The folder, if they could be written.
    private Optional<Path> writeFiles(String table) {
        Path folder = run.resolve("profile");
        try {
            Files.createDirectories(folder);
            Files.writeString(folder.resolve("table.txt"), table);
            Files.write(folder.resolve("trace.json"), ChromeTrace.of(timed, executor.description(), executor.clock()));
            return Optional.of(folder);
        } catch (IOException e) {
            LOG.warn("{}: the profile cannot be written, the run goes on: {}", folder, e.toString());
            return Optional.empty();
        }
    }
}
