package org.quern.launcher;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import sun.misc.Signal;

/// Ctrl-C (SIGINT) and SIGTERM as a request to stop at the next good moment. The second one ends the program at once.
final class StopSignal implements BooleanSupplier {
    private static final int SIGNALLED = 128;

    private final AtomicBoolean requested = new AtomicBoolean();

    /// @param announcement shown at the first signal
    StopSignal(String announcement) {
        for (String name : new String[] {"INT", "TERM"}) {
            Signal.handle(new Signal(name), signal -> {
                if (requested.getAndSet(true)) {
                    Runtime.getRuntime().halt(SIGNALLED + signal.getNumber());
                }
                Terminal.error().print(announcement);
            });
        }
    }

    /// Whether a stop was asked for.
    @Override
    public boolean getAsBoolean() {
        return requested.get();
    }
}
