package org.quern.launcher;

import java.util.Optional;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.gpu.Gpus;

/// How many workers a machine starts.
final class WorkerCount {
    private static final int MOST = 1024;

    private WorkerCount() {}

    /// @param asked a number, or `auto` for one a GPU and one on a CPU
    /// @param device that of the configuration
    static int of(Optional<String> asked, String device) {
        String text = asked.orElse("auto");
        if (text.equals("auto")) {
            return device.equals("cuda") ? Gpus.list().size() : 1;
        }
        if (!text.matches("\\d{1,4}") || Integer.parseInt(text) < 1 || Integer.parseInt(text) > MOST) {
            throw new QuernException(
                    ExitCode.USAGE, "--workers must be auto or a number from 1 to %d: got %s".formatted(MOST, text));
        }
        return Integer.parseInt(text);
    }
}
