package org.quern.launcher.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.config.RunConfig;
import org.quern.train.TrainEvent;

/// Real processes, of a program that fails as told.
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class LaunchTest {
    private static final RunConfig.Workers PATIENT = limits(3, 120, 120, 5);

    @TempDir
    private Path folder;

    private final List<String> shown = Collections.synchronizedList(new ArrayList<>());
    private final List<TrainEvent> events = Collections.synchronizedList(new ArrayList<>());
    private final CompletableFuture<Consumer<WorkerRequest>> signals = new CompletableFuture<>();

    @AfterEach
    void stop() {
        signals.getNow(_ -> {}).accept(WorkerRequest.STOP);
    }

    private WorkerProgram program(String... script) {
        List<String> command = new ArrayList<>(List.of(
                System.getProperty("java.home") + "/bin/java",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx64m",
                "-Xlog:disable",
                "-XX:ErrorFile=" + folder.resolve("crash.txt"),
                "-cp",
                System.getProperty("java.class.path"),
                ScriptedWorker.class.getName()));
        command.addAll(List.of(script));
        return new WorkerProgram(command, Map.of(), true);
    }

    private int run(RunConfig.Workers limits, String... script) throws InterruptedException {
        Role.Launcher role = new Role.Launcher("test", 0, 1, Optional.empty(), Optional.empty());
        return new Launch(role, 2, program(script), limits, "", folder, shown::add, events::add).run(signals::complete);
    }

    private static RunConfig.Workers withRestarts(int restarts) {
        return limits(restarts, 120, 120, 5);
    }

    static RunConfig.Workers limits(int restarts, double timeout, double stepTimeout, double grace) {
        return new RunConfig.Workers(
                Optional.empty(),
                0,
                32,
                RunConfig.Workers.Gradients.NCCL,
                restarts,
                true,
                timeout,
                stepTimeout,
                grace,
                120);
    }

    @Test
    void workersRunToTheirEnd() throws Exception {
        assertThat(run(PATIENT, "0", "none", "0")).isZero();
        assertThat(events).first().isInstanceOf(TrainEvent.Started.class);
        assertThat(shown).contains("[0] worker 0 begins attempt 0", "[1] worker 1 begins attempt 0");
        assertThat(folder.resolve("attempt-0/rank-1.txt")).content().startsWith("worker 1 begins attempt 0");
    }

    @ParameterizedTest
    @CsvSource({
        "7, 7, ended with exit code 7",
        "SEGV, 139, crashed in native code: SIGSEGV",
        "KILL, 137, was ended by SIGKILL",
        "0, 76, ended with exit code 0 before the run was done"
    })
    void passesOnTheExitCodeOfTheWorkerThatFailed(String fault, int code, String reason) throws Exception {
        assertThat(run(withRestarts(0), "1", fault, "1")).isEqualTo(code);
        assertThat(shown)
                .anySatisfy(line -> assertThat(line)
                        .startsWith("worker 1 (")
                        .contains(reason, "its last lines:", "about to " + fault));
    }

    @Test
    void startsAgainAfterAFailure() throws Exception {
        assertThat(run(PATIENT, "0", "KILL", "2")).isZero();
        assertThat(shown)
                .contains(
                        "starting all workers again (restart 1 of 3 without a new checkpoint)",
                        "starting all workers again (restart 2 of 3 without a new checkpoint)",
                        "[1] worker 1 begins attempt 2");
        assertThat(folder.resolve("attempt-2/rank-0.txt")).exists();
    }

    @Test
    void givesUpWithoutProgress() throws Exception {
        assertThat(run(PATIENT, "1", "7", "9")).isEqualTo(93);
        assertThat(folder.resolve("attempt-3")).isDirectory();
        assertThat(folder.resolve("attempt-4")).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource({"64", "65", "93"})
    void doesNotRepeatWhatARestartWouldRepeat(int code) throws Exception {
        assertThat(run(PATIENT, "0", "" + code, "9")).isEqualTo(code);
        assertThat(folder.resolve("attempt-1")).doesNotExist();
    }

    @Test
    void namesAWorkerThatWasHalted() throws Exception {
        RunConfig.Workers limits = limits(0, 15, 120, 5);
        assertThat(run(limits, "1", "STOP", "1")).isEqualTo(76);
        assertThat(shown).anyMatch(line -> line.startsWith("worker 1 gave no sign of life for 15.0 s"));
    }

    @Test
    void namesTheWorkerThatOthersWaitFor() throws Exception {
        RunConfig.Workers limits = limits(1, 120, 15, 5);
        assertThat(run(limits, "1", "stuck", "1")).isZero();
        assertThat(shown)
                .contains("worker 1 did not go on for 15.0 s (workers.step_timeout) after its collective call 0");
    }

    @Test
    void asksAllWorkersToSaveAndToStop() throws Exception {
        CompletableFuture<Integer> code = inBackground(() -> run(PATIENT, "0", "none", "" + Long.MAX_VALUE));
        Consumer<WorkerRequest> ask = signals.get();
        await(() -> shown.stream().filter(line -> line.contains("begins")).count() == 2);
        ask.accept(WorkerRequest.SAVE);
        await(() -> events.stream().anyMatch(TrainEvent.CheckpointSaved.class::isInstance));
        ask.accept(WorkerRequest.STOP);
        assertThat(code.get()).as(() -> shown.toString()).isEqualTo(75);
    }

    @Test
    void goesOnWithProcessesThatStandBy() throws Exception {
        CompletableFuture<Integer> code = inBackground(() -> run(PATIENT, "0", "none", "" + Long.MAX_VALUE));
        await(() -> !standingBy().isEmpty());
        List<Long> first = standingBy();
        kill(first.getFirst());
        await(() -> !standingBy().equals(first));
        List<Long> second = standingBy();
        assertThat(second).hasSize(2).doesNotContainAnyElementsOf(first);
        kill(process(1));
        await(() -> shown.containsAll(
                List.of("[0] as process " + second.getFirst(), "[1] as process " + second.getLast())));
        assertThat(shown).contains("[0] worker 0 begins attempt 1", "[1] worker 1 begins attempt 1");
        assertThat(folder.resolve("attempt-1/rank-1.txt")).content().startsWith("worker 1 begins attempt 1");
        await(() -> !standingBy().equals(second));
        signals.get().accept(WorkerRequest.STOP);
        assertThat(code.get()).as(() -> shown.toString()).isEqualTo(75);
        for (long pid : standingBy()) {
            await(() -> !isAlive(pid));
        }
    }

    @Test
    void lastsWhereNothingCanStandBy() throws Exception {
        Files.createFile(folder.resolve("standby-0"));
        CompletableFuture<Integer> code = inBackground(() -> run(PATIENT, "0", "none", "" + Long.MAX_VALUE));
        await(() -> shown.stream().anyMatch(line -> line.startsWith("no processes stand by")));
        kill(process(1));
        await(() -> shown.contains("[1] worker 1 begins attempt 1"));
        signals.get().accept(WorkerRequest.STOP);
        assertThat(code.get()).as(() -> shown.toString()).isEqualTo(75);
    }

    /// Those of the last line that names some.
    private List<Long> standingBy() {
        return List.copyOf(shown).stream()
                .filter(line -> line.startsWith("2 processes stand by"))
                .reduce((_, last) -> last)
                .map(line -> Arrays.stream(
                                line.substring(line.lastIndexOf(':') + 1).split(","))
                        .map(pid -> Long.parseLong(pid.strip()))
                        .toList())
                .orElse(List.of());
    }

    /// Of a worker in the first attempt.
    private long process(int rank) {
        String before = "[%d] as process ".formatted(rank);
        return List.copyOf(shown).stream()
                .filter(line -> line.startsWith(before))
                .map(line -> Long.parseLong(line.substring(before.length())))
                .findFirst()
                .orElseThrow();
    }

    private static void kill(long pid) {
        ProcessHandle.of(pid).orElseThrow().destroyForcibly();
    }

    private static CompletableFuture<Integer> inBackground(Callable<Integer> job) {
        CompletableFuture<Integer> code = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                code.complete(job.call());
            } catch (Exception e) {
                code.completeExceptionally(e);
            }
        });
        return code;
    }

    @Test
    void countsAttemptsOverAllStartsOfTheRun() throws Exception {
        Files.createDirectories(folder.resolve("attempt-6"));
        assertThat(run(PATIENT, "0", "none", "0")).isZero();
        assertThat(folder.resolve("attempt-7/rank-0.txt")).exists();
    }

    @Test
    void refusesAProgramThatIsNone() throws Exception {
        Role.Launcher role = new Role.Launcher("test", 0, 1, Optional.empty(), Optional.empty());
        WorkerProgram none = new WorkerProgram(List.of("/no/such/program"), Map.of(), true);
        assertThat(new Launch(role, 2, none, withRestarts(0), "", folder, shown::add, events::add)
                        .run(signals::complete))
                .isEqualTo(76);
        assertThat(shown).anyMatch(line -> line.startsWith("node 0 cannot start its workers"));
    }

    private static void await(TinyJob.Condition condition) throws IOException, InterruptedException {
        TinyJob.await(condition);
    }

    /// Whether a process is there and no zombie.
    static boolean isAlive(long pid) throws IOException {
        Path status = Path.of("/proc/" + pid + "/stat");
        try {
            String text = Files.readString(status);
            return text.charAt(text.lastIndexOf(')') + 2) != 'Z';
        } catch (NoSuchFileException _) {
            return false;
        }
    }
}
