package org.quern.launcher.cluster;

/// Which of its collective calls a worker is in.
public final class CallCount {
    private volatile long begun;
    private volatile String current = "";

    /// Runs one call. Calls come one after another.
    void during(String name, Runnable call) {
        begun++;
        current = name;
        try {
            call.run();
        } finally {
            current = "";
        }
    }

    long begun() {
        return begun;
    }

    /// The call under way, or empty.
    String current() {
        return current;
    }
}
