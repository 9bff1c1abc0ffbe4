package org.quern.launcher.bench.gpu;

import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import tools.jackson.databind.JsonNode;

/// Quern as a process of its own: a device that hangs or faults costs no more than that.
interface Program {
    /// How it ended.
    enum End {
        /// By itself.
        EXIT,
        /// It was ended when its time was over.
        TIME_OVER,
        /// It was ended because it had been silent for too long.
        SILENT
    }

    /// @param code its exit code, if it ended by itself
    /// @param lastWords the end of what it wrote to standard error
    record Ending(End end, int code, String lastWords) {
        boolean failed() {
            return end == End.SILENT || end == End.EXIT && code != 0;
        }

        /// Why, for people.
        String reason() {
            return switch (end) {
                case EXIT -> "exit code %d%s".formatted(code, lastWords.isEmpty() ? "" : ": " + lastWords);
                case TIME_OVER -> "its time was over";
                case SILENT -> "it hung";
            };
        }
    }

    /// Runs it to its end.
    ///
    /// @param arguments of `quern`
    /// @param limit when it is ended at the latest
    /// @param silence time without a line after which it is ended
    /// @param lines takes those of its output that are objects of JSON
    Ending run(List<String> arguments, Duration limit, Duration silence, Consumer<JsonNode> lines);
}
