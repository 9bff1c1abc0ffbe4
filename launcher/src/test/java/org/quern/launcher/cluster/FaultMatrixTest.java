package org.quern.launcher.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.checkpoint.SavePoint;
import org.quern.launcher.cluster.FaultAgent.Planned;

/// Whatever happens to runs of two workers, they end as one that nothing happened to, and leave nothing behind.
@TestInstance(Lifecycle.PER_CLASS)
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class FaultMatrixTest {
    private static final int STEPS = 20;
    /// A collective call after the second checkpoint.
    private static final int LATE = 40;

    @TempDir
    private static Path folder;

    private TinyJob job;

    @BeforeAll
    void runUndisturbed() throws Exception {
        job = new TinyJob(
                folder,
                STEPS,
                "checkpoint: {every: 3, keep: 3}",
                "workers: {zero_stage: 1, timeout: 15, step_timeout: 15, grace: 1, max_restarts: 5}");
        assertThat(job.train("whole")).as(() -> job.output("whole")).isZero();
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        TinyJob.await(() -> job.processes().isEmpty());
        try (Stream<Path> memory = Files.list(Path.of("/dev/shm"))) {
            assertThat(memory).noneMatch(path -> path.toString().contains("quern"));
        }
    }

    private void assertEndsAsIfUndisturbed(String run) throws IOException {
        assertThat(job.weights(run, STEPS)).isEqualTo(job.weights("whole", STEPS));
        assertThat(job.losses(run)).isEqualTo(job.losses("whole"));
    }

    private int train(List<Planned> faults, String run, String... arguments) throws Exception {
        return job.with(FaultAgent.flag(folder, faults)).train(run, withWorkers(arguments));
    }

    private static String[] withWorkers(String... arguments) {
        return Stream.concat(Stream.of("--workers", "2"), Stream.of(arguments)).toArray(String[]::new);
    }

    @Test
    void survivesWhatKillsAWorkerAndTheLauncher() throws Exception {
        List<Planned> faults = List.of(
                new Planned(0, 1, "KILL", LATE),
                new Planned(1, 0, "launcher", 10),
                Planned.save(2, 1, SavePoint.FILE_WRITTEN, 2),
                Planned.save(3, 0, SavePoint.MANIFEST_WRITTEN, 1));
        assertThat(train(faults, "killed")).as(() -> job.output("killed")).isEqualTo(137);
        TinyJob.await(() -> job.processes().isEmpty());
        assertThat(train(faults, "killed")).as(() -> job.output("killed")).isZero();
        assertThat(job.output("killed"))
                .containsPattern("(?m)^worker 1 \\(node 0, process \\d+\\) was ended by SIGKILL")
                .containsPattern("(?m)^worker 0 \\(node 0, process \\d+\\) was ended by SIGKILL")
                .containsPattern("(?m)^starting all workers again \\(restart 2 of 5");
        assertEndsAsIfUndisturbed("killed");
    }

    /// In one run without restarts, and in one with.
    @ParameterizedTest
    @Tag("slow")
    @CsvSource({
        "7, 7, ended with exit code 7",
        "0, 76, ended with exit code 0 before the run was done",
        "SEGV, 139, crashed in native code: SIGSEGV",
        "KILL, 137, was ended by SIGKILL",
        "STOP, 76, gave no sign of life for 15.0 s",
        "stuck, 76, did not go on for 15.0 s (workers.step_timeout)",
        "throw, 70, ended with exit code 70",
    })
    void namesWhoFailedAndGoesOn(String fault, int code, String reason) throws Exception {
        List<Planned> faults = List.of(new Planned(0, 1, fault, LATE), new Planned(1, 0, fault, LATE / 2));
        String run = "fault-" + fault;
        assertThat(train(faults, run, "--set", "workers.max_restarts=0"))
                .as(() -> job.output(run))
                .isEqualTo(code);
        assertThat(job.output(run)).containsPattern("(?m)^worker 1 (\\(node 0, process \\d+\\) )?\\Q" + reason);
        assertThat(train(faults, run)).as(() -> job.output(run)).isZero();
        assertThat(job.output(run)).containsPattern("(?m)^worker 0 (\\(node 0, process \\d+\\) )?\\Q" + reason);
        assertEndsAsIfUndisturbed(run);
    }
}
