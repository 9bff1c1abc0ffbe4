package org.quern.launcher;

import java.util.List;

/// The process that a process of ours works for alone. What is measured beside a process that was left over would be
/// wrong.
final class Owner {
    private static final String PROPERTY = "quern.owner";

    private Owner() {}

    /// The flag of a JVM that is to end with this process, however that ends.
    static List<String> flags() {
        return List.of("-D%s=%d".formatted(PROPERTY, ProcessHandle.current().pid()));
    }

    /// Ends this process, and all that it has started, when its owner is no more. If it has one.
    static void watch() {
        Long owner = Long.getLong(PROPERTY);
        if (owner != null) {
            Thread.ofPlatform().daemon().name("owner").start(() -> {
                ProcessHandle.of(owner).ifPresent(process -> process.onExit().join());
                ProcessHandle.current().descendants().toList().forEach(ProcessHandle::destroyForcibly);
                Runtime.getRuntime().halt(1);
            });
        }
    }
}
