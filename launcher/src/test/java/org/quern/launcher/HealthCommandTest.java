package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HealthCommandTest {
    @TempDir
    Path run;

    private Path metrics;

    @BeforeEach
    void makeRun() throws IOException {
        metrics = Files.writeString(Files.createDirectories(run.resolve("logs")).resolve("train.log"), "step 1\n");
        age(1000);
    }

    /// Lets all of the run be that many seconds old.
    private void age(long seconds) throws IOException {
        FileTime then = FileTime.from(Instant.now().minusSeconds(seconds));
        for (Path path : new Path[] {metrics, run.resolve("logs"), run}) {
            Files.setLastModifiedTime(path, then);
        }
    }

    @Test
    void isGoodAsLongAsSomethingChanges() throws IOException {
        age(800);
        assertThat(Main.run("health", run.toString())).isZero();
        assertThat(Main.run("health", run.toString(), "--max-age", "700")).isEqualTo(76);
    }

    @Test
    void isBadWhenNothingChangesAnyMore() throws IOException {
        assertThat(Main.run("health", run.toString())).isEqualTo(76);
        Files.writeString(run.resolve("metrics.jsonl"), "{}\n");
        assertThat(Main.run("health", run.toString())).isZero();
    }

    @Test
    void isBadWhereThereIsNoRun() {
        assertThat(Main.run("health", run.resolve("none").toString())).isEqualTo(76);
    }
}
