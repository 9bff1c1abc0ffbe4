package org.quern.launcher.cluster;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.quern.base.ExitCode;
import org.quern.launcher.cluster.LauncherMessage.Ask;
import org.quern.launcher.cluster.LauncherMessage.Begin;
import org.quern.launcher.cluster.WorkerMessage.Beat;
import org.quern.launcher.cluster.WorkerMessage.Ended;
import org.quern.launcher.cluster.WorkerMessage.Ready;
import org.quern.train.TrainEvent;

/// A worker's end of the pipes between it and its launcher: says that it lives and goes on, hears what it is
/// asked, and ends the process when the launcher is gone.
public final class WorkerLink {
    private static final long BEAT_MILLIS = 250;

    private final PrintStream launcher =
            new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    private final AtomicLong progress = new AtomicLong();
    private final CallCount calls;
    private final CompletableFuture<Assignment> place = new CompletableFuture<>();
    private volatile boolean stop;
    private volatile boolean save;

    private WorkerLink(CallCount calls) {
        this.calls = calls;
    }

    /// From now on what is printed to standard output goes to standard error: the launcher reads the former.
    ///
    /// @param calls those of the worker's communicator
    public static WorkerLink open(CallCount calls) {
        System.setOut(System.err);
        WorkerLink link = new WorkerLink(calls);
        // At once, by this thread: whoever is halted from now on is known to have lived.
        link.sayThatItLives();
        Thread.ofPlatform().daemon().name("launcher").start(link::listen);
        Thread.ofPlatform().daemon().name("signs of life").start(link::beat);
        return link;
    }

    /// Says that this process has rehearsed, and waits for its place.
    public Assignment standBy() {
        say(new Ready());
        return place.join();
    }

    /// Wraps the question whether to stop, which is asked as long as training goes on.
    public BooleanSupplier stop(BooleanSupplier signalled) {
        return () -> {
            progress.incrementAndGet();
            return stop || signalled.getAsBoolean();
        };
    }

    /// Whether a checkpoint was asked for since this was asked last.
    public boolean save() {
        boolean asked = save;
        save = false;
        return asked;
    }

    /// Work before the first step goes on.
    public void progress() {
        progress.incrementAndGet();
    }

    /// An event of the run, which the launcher shows.
    public void tell(TrainEvent event) {
        progress.incrementAndGet();
        say(WorkerMessage.Event.of(event));
    }

    /// The last thing that a worker says if it ends as it should.
    ///
    /// @param complete whether the run is done, otherwise it was stopped on request
    /// @return what the process has to exit with
    public ExitCode end(boolean complete) {
        say(new Ended(complete));
        return exitCode(complete);
    }

    static ExitCode exitCode(boolean complete) {
        return complete ? ExitCode.OK : ExitCode.PREEMPTED;
    }

    private void say(WorkerMessage message) {
        launcher.println(WorkerMessage.MARK + Tagged.write((Record) message));
    }

    private void sayThatItLives() {
        say(new Beat(progress.get(), calls.begun(), calls.current()));
    }

    private void beat() {
        try {
            while (true) {
                Thread.sleep(BEAT_MILLIS);
                sayThatItLives();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void listen() {
        try (BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = requests.readLine(); line != null; line = requests.readLine()) {
                switch (Tagged.read(LauncherMessage.class, line)) {
                    case Begin begin -> place.complete(begin.assignment());
                    case Ask ask -> {
                        switch (ask.request()) {
                            case SAVE -> save = true;
                            case STOP -> stop = true;
                        }
                    }
                }
            }
        } catch (IOException _) {
            // As if it had ended.
        }
        Runtime.getRuntime().halt(ExitCode.RETRYABLE.code());
    }
}
