package org.quern.launcher.cluster;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/// What goes wrong in a worker.
final class Fault {
    private Fault() {}

    /// Does not return.
    ///
    /// @param name `stuck`; a signal that the process sends to itself; `launcher` for SIGKILL to its parent;
    ///     `throw`; `memory`; or the code that it exits with
    static void happen(String name) {
        System.err.println("about to " + name);
        ProcessHandle own = ProcessHandle.current();
        switch (name) {
            case "stuck" -> waitForever();
            case "SEGV", "KILL", "STOP" -> signal(name, own);
            case "preempt" -> {
                signal("TERM", own.parent().orElseThrow());
                return;
            }
            case "launcher" -> signal("KILL", own.parent().orElseThrow());
            case "throw" -> throw new IllegalStateException("as the test wants");
            case "memory" -> throw new OutOfMemoryError("as the test wants");
            default -> System.exit(Integer.parseInt(name));
        }
        waitForever();
    }

    private static void signal(String signal, ProcessHandle to) {
        try {
            new ProcessBuilder(List.of("kill", "-" + signal, "" + to.pid())).start();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void waitForever() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
