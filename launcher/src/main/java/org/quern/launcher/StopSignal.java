package org.quern.launcher;

import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/// Ctrl-C (SIGINT), SIGTERM, SIGUSR2 and the end of the terminal (SIGHUP) as a request to stop at the next good
/// moment. The second one ends the program at once. What was ignored at the start (nohup) stays ignored.
final class StopSignal implements BooleanSupplier {
    private static final int SIGNALLED = 128;

    private final AtomicBoolean requested = new AtomicBoolean();

    /// @param announcement shown at the first signal
    StopSignal(String announcement) {
        SignalHandler handler = signal -> {
            if (requested.getAndSet(true)) {
                Runtime.getRuntime().halt(SIGNALLED + signal.getNumber());
            }
            Terminal.error().print(announcement);
        };
        for (String name : List.of("INT", "TERM", "HUP", "USR2")) {
            Signal signal = new Signal(name);
            if (Signal.handle(signal, handler) == SignalHandler.SIG_IGN) {
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
