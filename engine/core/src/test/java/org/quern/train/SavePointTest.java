package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.checkpoint.Checkpoints;
import org.quern.checkpoint.SavePoint;

/// Runs that are killed at each named moment of a save.
class SavePointTest {
    private static final String[] OVERRIDES = {
        "evaluate.every=100", "checkpoint={every: 3, keep: 1}", "train.spike_guard={window: 8}"
    };

    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource
    @Timeout(value = 10, unit = TimeUnit.MINUTES)
    void endsWithTheSameBits(SavePoint point) throws Exception {
        TinyRun tiny = new TinyRun(folder);
        File output = folder.resolve("output.log").toFile();
        // In the second checkpoint; it is the first in which an old one is removed.
        int time = switch (point) {
            case FILE_BEGUN -> 4;
            case FILE_WRITTEN -> 8;
            case OLD_RENAMED, OLD_REMOVED -> 1;
            default -> 2;
        };
        Process process = TrainProcess.start(
                List.of("-Dquern.halt=%s:%d".formatted(point, time)),
                tiny.file(),
                tiny.run("killed"),
                output,
                OVERRIDES);
        try {
            assertThat(process.waitFor()).as("see " + output).isEqualTo(137);
        } finally {
            process.destroyForcibly();
        }
        long step = Checkpoints.newestValid(tiny.run("killed").resolve("checkpoints"))
                .orElseThrow()
                .step();
        assertThat(step).isEqualTo(point.compareTo(SavePoint.RENAMED) < 0 ? 3 : 6);

        tiny.train("killed", OVERRIDES);

        tiny.train("whole", OVERRIDES);
        tiny.assertSameBits("whole", "killed", TinyRun.STEPS);
        assertThat(tiny.checkpoints("killed")).containsExactly((long) TinyRun.STEPS);
    }
}
