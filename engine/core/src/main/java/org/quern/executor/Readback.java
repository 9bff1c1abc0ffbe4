package org.quern.executor;

/// Reads a state on the host again and again, while the device goes on.
public interface Readback {
    /// Reads the state as the work that was started so far leaves it, now or later.
    void request();

    /// Waits until all that was requested has been read, in its order.
    void finish();
}
