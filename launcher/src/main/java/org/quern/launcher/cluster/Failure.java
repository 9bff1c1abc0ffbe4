package org.quern.launcher.cluster;

import java.util.List;

/// Why a worker, or a machine, ended an attempt.
///
/// @param worker who, for people
/// @param code the exit code it stands for
/// @param hung whether the process may be unable to end
/// @param lines what it printed last
record Failure(String worker, String reason, int code, boolean hung, List<String> lines) {
    String headline() {
        return worker + " " + reason;
    }

    @Override
    public String toString() {
        String last = lines.isEmpty() ? "" : "; its last lines:\n  " + String.join("\n  ", lines);
        return headline() + last;
    }
}
