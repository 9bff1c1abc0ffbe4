package org.quern.launcher;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import sun.misc.Signal;

/// SIGUSR1 as a request to write a checkpoint at the next good moment and to go on. Several before that are one.
final class SaveSignal implements BooleanSupplier {
    private final AtomicBoolean requested = new AtomicBoolean();

    SaveSignal() {
        Signal.handle(new Signal("USR1"), _ -> {
            Terminal.error().print("writing a checkpoint after this step");
            requested.set(true);
        });
    }

    /// Whether a checkpoint was asked for since this was last called.
    @Override
    public boolean getAsBoolean() {
        return requested.getAndSet(false);
    }
}
