package org.quern.launcher.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Runs of the program with processes for workers.
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class WorkersTest {
    private static final int STEPS = 6;

    @TempDir
    private Path folder;

    @Test
    void anyNumberTrainsTheSameWeights() throws Exception {
        TinyJob job = new TinyJob(folder, STEPS);
        assertThat(job.train("alone")).as(() -> job.output("alone")).isZero();
        byte[] weights = job.weights("alone", STEPS);
        for (String[] arguments : new String[][] {
            {"--workers=1"},
            {"--workers=2"},
            {"--workers=2", "--set=workers.zero_stage=1"},
            {"--workers=4", "--set=workers.zero_stage=1"},
        }) {
            String run = String.join(" ", arguments);
            assertThat(job.train(run, arguments)).as(() -> job.output(run)).isZero();
            assertThat(job.weights(run, STEPS)).as(run).isEqualTo(weights);
        }
    }
}
