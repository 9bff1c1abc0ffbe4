package org.quern.launcher;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;

/// Quern, to be started again as a process of its own.
final class OwnProgram {
    /// What trains is off the heap. Left alone, the heap takes a gigabyte, which also lengthens the death of a
    /// process.
    private static final String YOUNG = "-Xmn64m";

    private OwnProgram() {}

    /// The command line with the same Java, flags and classes, and other arguments.
    static List<String> command(List<String> arguments) {
        return command(List.of(), arguments);
    }

    /// The same for a process that ends with this one, however that ends.
    static List<String> owned(List<String> arguments) {
        return command(Owner.flags(), arguments);
    }

    /// A process that shares the machine with others like it.
    ///
    /// @param threads that it computes with
    /// @param flags of the JVM, beside this one's
    static List<String> worker(int threads, List<String> flags, List<String> arguments) {
        List<String> all = new ArrayList<>(List.of("-XX:ActiveProcessorCount=" + threads, YOUNG));
        all.addAll(flags);
        return command(all, arguments);
    }

    private static List<String> command(List<String> flags, List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(System.getProperty("java.home") + "/bin/java");
        for (String flag : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            // The terminal stays with this process.
            if (!flag.startsWith("-Dquern.columns=")) {
                command.add(flag);
            }
        }
        command.addAll(flags);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(arguments);
        return command;
    }
}
