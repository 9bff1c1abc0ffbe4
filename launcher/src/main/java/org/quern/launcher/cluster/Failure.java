package org.quern.launcher.cluster;

import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.base.ExitCode;

/// Why a worker, or a machine, ended an attempt.
///
/// @param worker who, for people
/// @param code the exit code it stands for
/// @param hung whether the process may be unable to end
/// @param lines what it printed last
record Failure(String worker, String reason, int code, boolean hung, List<String> lines) {
    private static final int SIGNALLED = 128;
    private static final int ABORTED = SIGNALLED + 6;
    /// What a JVM prints of a signal that it cannot go on after, before it aborts.
    private static final Pattern CRASH = Pattern.compile("(SIG[A-Z]+) \\(0x([0-9a-f]{1,2})\\) at pc=");

    /// A process that has not ended as a worker should.
    ///
    /// @param exit its exit code
    static Failure of(String worker, int exit, List<String> lines) {
        if (exit == ExitCode.OK.code() || exit == ExitCode.PREEMPTED.code()) {
            return new Failure(
                    worker,
                    "ended with exit code %d before the run was done".formatted(exit),
                    ExitCode.RETRYABLE.code(),
                    false,
                    lines);
        }
        Optional<Matcher> crash =
                lines.stream().map(CRASH::matcher).filter(Matcher::find).findFirst();
        if (exit == ABORTED && crash.isPresent()) {
            return new Failure(
                    worker,
                    "crashed in native code: " + crash.get().group(1),
                    SIGNALLED + Integer.parseInt(crash.get().group(2), 16),
                    false,
                    lines);
        }
        String reason = exit > SIGNALLED ? "was ended by " + signal(exit - SIGNALLED) : "ended with exit code " + exit;
        return new Failure(worker, reason, exit, false, lines);
    }

    private static String signal(int number) {
        return switch (number) {
            case 6 -> "SIGABRT";
            case 7 -> "SIGBUS";
            case 9 -> "SIGKILL (the operating system's, if memory ran out)";
            case 11 -> "SIGSEGV";
            case 15 -> "SIGTERM";
            default -> "signal " + number;
        };
    }

    String headline() {
        return worker + " " + reason;
    }

    @Override
    public String toString() {
        String last = lines.isEmpty() ? "" : "; its last lines:\n  " + String.join("\n  ", lines);
        return headline() + last;
    }
}
