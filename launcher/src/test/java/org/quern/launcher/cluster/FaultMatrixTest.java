package org.quern.launcher.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
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

/// Whatever happens to a run of two workers, it ends as one that nothing happened to, and leaves nothing behind.
@TestInstance(Lifecycle.PER_CLASS)
@Timeout(value = 30, unit = TimeUnit.MINUTES)
class FaultMatrixTest {
    private static final int STEPS = 20;
    private static final int MANY_STEPS = 70;
    /// A collective call after the second checkpoint.
    private static final int LATE = 40;

    /// Of a checkpoint; one of them is worker 1's.
    private static final int FILES = 10;

    private static final int RANDOM_FAULTS = 20;
    private static final String[] IMPATIENT = {"--set", "workers.timeout=40", "--set", "workers.step_timeout=60"};

    @TempDir
    private static Path folder;

    private TinyJob job;

    /// What happens to a file.
    private enum Damage {
        BIT_FLIPPED,
        TRUNCATED,
        MISSING;

        void to(Path file, Random random) throws IOException {
            byte[] bytes = Files.readAllBytes(file);
            int at = random.nextInt(bytes.length);
            switch (this) {
                case BIT_FLIPPED -> {
                    bytes[at] ^= (byte) (1 << random.nextInt(8));
                    Files.write(file, bytes);
                }
                case TRUNCATED -> Files.write(file, Arrays.copyOf(bytes, at));
                case MISSING -> Files.delete(file);
            }
        }
    }

    @BeforeAll
    void prepare() throws IOException {
        job = new TinyJob(
                folder,
                STEPS,
                "checkpoint: {every: 3, keep: 3}",
                "workers: {zero_stage: 1, timeout: 600, step_timeout: 600, grace: 1, max_restarts: 20}");
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        TinyJob.await(() -> job.processes().isEmpty());
        try (Stream<Path> memory = Files.list(Path.of("/dev/shm"))) {
            assertThat(memory).noneMatch(path -> path.toString().contains("quern"));
        }
    }

    /// Runs two workers with faults to their end.
    ///
    /// @return the exit code of the launcher
    private int train(List<Planned> faults, String run, String... arguments) throws Exception {
        return job.with(FaultAgent.flag(folder, faults)).train(run, withWorkers(arguments));
    }

    private static String[] withWorkers(String... arguments) {
        return Stream.concat(Stream.of("--workers", "2"), Stream.of(arguments)).toArray(String[]::new);
    }

    private void assertEndsAsIfUndisturbed(String run, int steps) throws Exception {
        String whole = "whole-" + steps;
        if (!Files.exists(job.checkpoint(whole, steps))) {
            assertThat(job.train(whole, "--set", "train.steps=" + steps))
                    .as(() -> job.output(whole))
                    .isZero();
        }
        assertThat(job.weights(run, steps)).isEqualTo(job.weights(whole, steps));
        assertThat(job.losses(run)).isEqualTo(job.losses(whole));
    }

    private void assertCode(int found, int expected, String run) {
        assertThat(found).as(() -> job.output(run)).isEqualTo(expected);
    }

    /// What the launcher says of a worker, in a line of its own.
    private void assertBlames(String run, int worker, String reason) {
        assertThat(job.output(run))
                .containsPattern("(?m)^worker %d (\\(node 0, process \\d+\\) )?\\Q%s".formatted(worker, reason));
    }

    @Test
    void survivesWhatKillsWorkersAndTheLauncher() throws Exception {
        List<Planned> faults = List.of(
                new Planned(0, 1, "KILL", LATE),
                new Planned(1, 0, "launcher", 10),
                Planned.save(2, 0, SavePoint.MANIFEST_WRITTEN, 1));
        assertCode(train(faults, "killed"), 137, "killed");
        TinyJob.await(() -> job.processes().isEmpty());
        assertCode(train(faults, "killed"), 0, "killed");
        assertBlames("killed", 1, "was ended by SIGKILL");
        assertBlames("killed", 0, "was ended by SIGKILL");
        assertEndsAsIfUndisturbed("killed", STEPS);
    }

    /// Which die with the launcher, too, here while they rehearse.
    @Test
    void goesOnWithProcessesThatStoodBy() throws Exception {
        String run = "standby";
        List<Planned> faults = List.of(new Planned(0, 1, "stuck", LATE), new Planned(1, 0, "stuck", LATE / 2));
        Process launcher = job.with(FaultAgent.flag(folder, faults)).start(run, withWorkers());
        try {
            TinyJob.await(() -> job.output(run).contains("2 processes stand by"));
            List<Long> first = job.workers(run);
            ProcessHandle.of(first.get(1)).orElseThrow().destroyForcibly();
            TinyJob.await(() -> job.output(run).contains("going on: ")
                    && job.workers(run).stream().noneMatch(first::contains));
            assertThat(job.output(run))
                    .containsPattern("2 processes stand by.*: %d, %d\n"
                            .formatted(job.workers(run).toArray()));
            TinyJob.await(() -> job.processes().size() == 1 + 2 + 2);
        } finally {
            launcher.destroyForcibly().waitFor();
        }
        TinyJob.await(() -> job.processes().isEmpty());
        assertCode(job.train(run, withWorkers()), 0, run);
        assertEndsAsIfUndisturbed(run, STEPS);
    }

    /// First without restarts, then with.
    @ParameterizedTest
    @Tag("slow")
    @CsvSource({
        "7, 7, ended with exit code 7",
        "0, 76, ended with exit code 0 before the run was done",
        "SEGV, 139, crashed in native code: SIGSEGV",
        "KILL, 137, was ended by SIGKILL",
        "STOP, 76, gave no sign of life for 40.0 s",
        "stuck, 76, did not go on for 60.0 s (workers.step_timeout)",
        "throw, 70, ended with exit code 70",
    })
    void namesWhoFailedAndGoesOn(String fault, int code, String reason) throws Exception {
        List<Planned> faults = List.of(new Planned(0, 1, fault, LATE), new Planned(1, 0, fault, LATE / 2));
        String run = "fault-" + fault;
        String[] once = Stream.concat(Stream.of(IMPATIENT), Stream.of("--set", "workers.max_restarts=0"))
                .toArray(String[]::new);
        assertCode(train(faults, run, once), code, run);
        assertBlames(run, 1, reason);
        assertCode(train(faults, run, IMPATIENT), 0, run);
        assertBlames(run, 0, reason);
        assertEndsAsIfUndisturbed(run, STEPS);
    }

    @ParameterizedTest
    @Tag("slow")
    @CsvSource({"nan, the loss and the norm of its gradient must be finite", "memory, memory ran out"})
    void doesNotStartAgainWhatWouldFailAgain(String fault, String reason) throws Exception {
        String run = "fault-" + fault;
        assertCode(train(List.of(new Planned(0, 1, fault, LATE)), run), 93, run);
        assertThat(job.output(run)).contains(reason).doesNotContain("starting all workers again");
        assertCode(job.train(run, withWorkers()), 0, run);
        assertEndsAsIfUndisturbed(run, STEPS);
    }

    /// All in one run, in which every step has a save and every attempt is killed in its second.
    @Test
    @Tag("slow")
    void survivesEachMomentOfASave() throws Exception {
        List<Planned> faults = new ArrayList<>();
        for (SavePoint point : SavePoint.values()) {
            int inEach = switch (point) {
                case FILE_BEGUN -> 2;
                case FILE_WRITTEN -> FILES - 1;
                default -> 1;
            };
            faults.add(Planned.save(faults.size(), 0, point, inEach + 1));
        }
        for (SavePoint point : ofAllWorkers()) {
            faults.add(Planned.save(faults.size(), 1, point, 2));
        }
        String run = "saves";
        String[] eachStep = {
            "--set", "train.steps=" + MANY_STEPS, "--set", "checkpoint.every=1", "--set", "checkpoint.keep=1"
        };
        assertCode(train(faults, run, eachStep), 0, run);
        assertThat(job.run(run).resolve("logs/attempt-" + faults.size())).isDirectory();
        assertEndsAsIfUndisturbed(run, MANY_STEPS);
    }

    /// The other moments are the first worker's alone.
    private static List<SavePoint> ofAllWorkers() {
        return List.of(SavePoint.COPIED, SavePoint.FILE_BEGUN, SavePoint.FILE_WRITTEN, SavePoint.ALL_WRITTEN);
    }

    /// All in one run, which is killed again and again.
    @Test
    @Tag("slow")
    void findsAnyDamageToAnyFile() throws Exception {
        String run = "damaged";
        String[] eachStep = {"--set", "train.steps=" + MANY_STEPS, "--set", "checkpoint.every=1"};
        Random random = new Random(1);
        int starts = 0;
        for (Damage damage : Damage.values()) {
            for (int file = 0; file < FILES; file++) {
                do {
                    List<Planned> kill = List.of(new Planned(starts++, 0, "launcher", 5 + 4 * 3));
                    assertCode(train(kill, run, eachStep), 137, run);
                    TinyJob.await(() -> job.processes().isEmpty());
                } while (checkpoints(run).size() < 2);
                List<Path> files = files(checkpoints(run).getLast());
                assertThat(files).hasSize(FILES);
                damage.to(files.get(file), random);
            }
        }
        assertCode(job.train(run, withWorkers(eachStep)), 0, run);
        assertThat(files(job.run(run).resolve("checkpoints")))
                .filteredOn(path -> path.getFileName().toString().startsWith("quarantine-"))
                .hasSize(Damage.values().length * FILES);
        assertEndsAsIfUndisturbed(run, MANY_STEPS);
    }

    private List<Path> checkpoints(String run) throws IOException {
        Path all = Files.createDirectories(job.run(run).resolve("checkpoints"));
        return files(all).stream()
                .filter(path -> path.getFileName().toString().startsWith("step-"))
                .toList();
    }

    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        }
    }

    /// Needs root.
    @Test
    @Tag("slow")
    void aFullDiskEndsARunThatGoesOnWithALargerOne() throws Exception {
        String run = "full";
        Path disk = Files.createDirectories(job.run(run));
        assumeTrue(run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk.toString()) == 0, "cannot mount");
        try {
            String[] all = {"--set", "checkpoint.keep=all", "--set", "workers.max_restarts=0"};
            assertCode(job.train(run, withWorkers(all)), 74, run);
            assertThat(job.output(run)).contains("the run goes on", "No space left on device", "by worker 1");
            assertThat(run("mount", "-o", "remount,size=64m", disk.toString())).isZero();
            assertCode(job.train(run, withWorkers(all)), 0, run);
            assertEndsAsIfUndisturbed(run, STEPS);
        } finally {
            run("umount", disk.toString());
        }
    }

    private static int run(String... command) throws Exception {
        return new ProcessBuilder(command).inheritIO().start().waitFor();
    }

    @Test
    @Tag("slow")
    void goesOnWhenTheLauncherOfNode0ComesBack() throws Exception {
        String run = "nodes";
        List<Planned> faults = List.of(new Planned(0, 0, "launcher", LATE));
        TinyJob faulty = job.with(FaultAgent.flag(folder, faults));
        String port = "" + freePort();
        Process first = faulty.start(run, node(0, port));
        Process second = faulty.start(run, node(1, port));
        try {
            assertCode(first.waitFor(), 137, run);
            first = faulty.start(run, node(0, port));
            assertCode(first.waitFor(), 0, run);
            assertCode(second.waitFor(), 0, run);
        } finally {
            first.destroyForcibly();
            second.destroyForcibly();
        }
        assertThat(job.output(run)).contains("the launcher of node 0 is lost", "when node 0 is started again");
        assertEndsAsIfUndisturbed(run, STEPS);
    }

    private static String[] node(int rank, String port) {
        return new String[] {
            "--workers", "1", "--nodes", "2", "--node-rank", "" + rank, "--rendezvous", "127.0.0.1:" + port
        };
    }

    /// Below those that the system gives to whom it is all one; workers take the next two.
    private static int freePort() throws IOException {
        for (int port = 20_000 + new Random().nextInt(10_000); ; port++) {
            try (ServerSocket _ = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                return port;
            } catch (java.net.BindException _) {
                // It is taken.
            }
        }
    }

    /// `-Dquern.seed` repeats them.
    @Test
    @Tag("slow")
    void survivesRandomFaults() throws Exception {
        long seed = Long.getLong("quern.seed", System.nanoTime());
        System.out.println("quern.seed=" + seed);
        Random random = new Random(seed);
        List<Planned> faults = new ArrayList<>();
        for (int attempt = 0; attempt < RANDOM_FAULTS; attempt++) {
            faults.add(randomFault(attempt, random));
        }
        System.out.println(faults);
        String run = "random";
        String[] often = Stream.concat(
                        Stream.of(IMPATIENT),
                        Stream.of("--set", "train.steps=" + MANY_STEPS, "--set", "checkpoint.every=2"))
                .toArray(String[]::new);
        int code;
        int starts = 0;
        do {
            code = train(faults, run, often);
            TinyJob.await(() -> job.processes().isEmpty());
            starts++;
            // Where there is another one.
            if (code != 0 && checkpoints(run).size() > 1) {
                Damage damage = Damage.values()[random.nextInt(Damage.values().length)];
                List<Path> files = files(checkpoints(run).getLast());
                damage.to(files.get(random.nextInt(files.size())), random);
            }
        } while (code != 0 && starts <= RANDOM_FAULTS);
        assertCode(code, 0, run);
        assertThat(job.run(run).resolve("logs/attempt-" + RANDOM_FAULTS))
                .as(() -> job.output(run))
                .isDirectory();
        assertEndsAsIfUndisturbed(run, MANY_STEPS);
    }

    /// In no more than three steps.
    private static Planned randomFault(int attempt, Random random) {
        int rank = random.nextInt(2);
        if (random.nextInt(3) == 0) {
            List<SavePoint> points = rank == 1
                    ? ofAllWorkers()
                    : List.of(SavePoint.values()).subList(0, SavePoint.OLD_RENAMED.ordinal());
            return Planned.save(attempt, rank, points.get(random.nextInt(points.size())), 1);
        }
        List<String> all =
                List.of("7", "0", "SEGV", "KILL", "STOP", "stuck", "throw", "memory", "nan", "launcher", "preempt");
        return new Planned(attempt, rank, all.get(random.nextInt(all.size())), random.nextInt(1, 5 + 4 * 2));
    }
}
