package org.quern.launcher;

import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/// Ctrl-C (SIGINT), SIGTERM, the end of the terminal (SIGHUP) and SIGUSR2 as a request to stop at the next good moment.
/// What was ignored at the start (nohup) stays ignored.
final class StopSignal implements BooleanSupplier {
    private static final List<String> NAMES = List.of("INT", "TERM", "HUP", "USR2");
    private static final int SIGNALLED = 128;

    private final AtomicBoolean requested = new AtomicBoolean();

    /// The second signal ends the program at once.
    ///
    /// @param announcement shown at the first signal
    StopSignal(String announcement) {
        this(announcement, () -> {});
    }

    /// @param first called at the first signal
    StopSignal(String announcement, Runnable first) {
        handle(NAMES, number -> {
            if (requested.getAndSet(true)) {
                Runtime.getRuntime().halt(SIGNALLED + number);
            }
            Terminal.error().print(announcement);
            first.run();
        });
    }

    private StopSignal() {
        handle(NAMES, _ -> requested.set(true));
    }

    /// For a process that its parent ends: however many signals come, it only stops.
    static StopSignal ofWorker() {
        return new StopSignal();
    }

    /// Calls an action with the number of the signal.
    static void handle(List<String> names, IntConsumer action) {
        for (String name : names) {
            Signal signal = new Signal(name);
            if (Signal.handle(signal, received -> action.accept(received.getNumber())) == SignalHandler.SIG_IGN) {
                Signal.handle(signal, SignalHandler.SIG_IGN);
            }
        }
    }

    /// Whether a stop was asked for.
    @Override
    public boolean getAsBoolean() {
        return requested.get();
    }
}
