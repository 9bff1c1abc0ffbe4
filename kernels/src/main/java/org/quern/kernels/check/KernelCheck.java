package org.quern.kernels.check;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.quern.kernels.check.CaseOutcome.Status;
import org.quern.kernels.cuda.KernelDevice;

/// Proves kernels on a device: each case against its reference and, on a GPU, against what the emulator computes
/// from the same inputs.
///
/// The GPU runs one case at a time, so that a fault has one cause, and each twice: the same inputs must give the same
/// bits. The emulator runs a case a thread.
public final class KernelCheck {
    /// Of a time limit that is none.
    public static final Duration FOREVER = Duration.ofDays(365);

    private final CaseRunners subject;
    private final Optional<CaseRunners> oracle;
    private final Settings settings;
    private final long begin = System.nanoTime();
    private volatile String hung = "";

    /// How to check.
    ///
    /// @param seed of the inputs
    /// @param threads for the emulator
    /// @param timeLimit of the whole check; cases that have not begun then are left out
    /// @param caseLimit of a case on a GPU, more than any takes: a GPU that needs longer hangs
    public record Settings(long seed, int threads, Duration timeLimit, Duration caseLimit) {}

    private KernelCheck(CaseRunners subject, Optional<CaseRunners> oracle, Settings settings) {
        this.subject = subject;
        this.oracle = oracle;
        this.settings = settings;
    }

    /// Runs cases on a GPU, and beside it on the emulator.
    ///
    /// @param each gets the outcomes in the order of the cases
    public static void onGpu(
            Supplier<KernelDevice> gpu,
            Supplier<KernelDevice> emulator,
            Settings settings,
            List<CatalogCase> cases,
            Consumer<CaseOutcome> each) {
        try (CaseRunners subject = new CaseRunners("gpu", 1, gpu, settings.seed(), true);
                CaseRunners oracle =
                        new CaseRunners("emulator", settings.threads(), emulator, settings.seed(), false)) {
            new KernelCheck(subject, Optional.of(oracle), settings).run(cases, each);
        }
    }

    /// Runs cases on the emulator alone.
    ///
    /// @param each gets the outcomes in the order of the cases
    public static void onEmulator(
            Supplier<KernelDevice> emulator, Settings settings, List<CatalogCase> cases, Consumer<CaseOutcome> each) {
        try (CaseRunners subject = new CaseRunners("emulator", settings.threads(), emulator, settings.seed(), false)) {
            new KernelCheck(subject, Optional.empty(), settings).run(cases, each);
        }
    }

    private record Pending(CatalogCase which, Future<CaseRun> subject, Optional<Future<CaseRun>> oracle) {}

    private void run(List<CatalogCase> cases, Consumer<CaseOutcome> each) {
        // Few enough to keep their results, enough to keep the threads busy.
        int window = 2 * settings.threads();
        Deque<Pending> pending = new ArrayDeque<>();
        for (CatalogCase next : cases) {
            if (pending.size() == window) {
                each.accept(settle(pending.removeFirst()));
            }
            KernelCase kernelCase = next.kernelCase();
            pending.addLast(new Pending(
                    next,
                    subject.submit(kernelCase, this::stopped),
                    oracle.map(runners -> runners.submit(kernelCase, this::stopped))));
        }
        pending.forEach(one -> each.accept(settle(one)));
    }

    /// Why cases do not begin any more; empty if they do.
    private String stopped() {
        return left().isZero() ? "the time was over" : hung;
    }

    private Duration left() {
        Duration left = settings.timeLimit().minusNanos(System.nanoTime() - begin);
        return left.isNegative() ? Duration.ZERO : left;
    }

    private CaseOutcome settle(Pending pending) {
        CaseRun run = settleSubject(pending);
        Optional<CaseRun> expected =
                oracle.flatMap(runners -> settleOracle(runners, pending.oracle().orElseThrow()));
        String message = run.message();
        if (run.status() == Status.FAILED && expected.isPresent()) {
            message +=
                    expected.get().status() == Status.OK ? " (right on the emulator)" : " (wrong on the emulator, too)";
        }
        return new CaseOutcome(
                pending.which().family(),
                pending.which().name(),
                run.status(),
                run.seconds(),
                run.error(),
                expected.flatMap(run::agreement),
                message);
    }

    private CaseRun settleSubject(Pending pending) {
        if (!hung.isEmpty()) {
            return CaseRun.leftOut(hung);
        }
        // What was begun before it has ended: from now on at the latest, a GPU has nothing else to do.
        Duration limit = oracle.isPresent() ? settings.caseLimit() : FOREVER;
        try {
            return CaseRunners.await(pending.subject(), limit);
        } catch (TimeoutException _) {
            hung = "the device hung in " + pending.which().name();
            subject.abandon();
            return new CaseRun(
                    Status.FAULT,
                    List.of(),
                    limit.toSeconds(),
                    "the device did not come to an end within %d s".formatted(limit.toSeconds()));
        }
    }

    /// The GPU's result counts without the emulator's, for which the time may be over.
    private Optional<CaseRun> settleOracle(CaseRunners runners, Future<CaseRun> future) {
        try {
            return Optional.of(CaseRunners.await(future, left())).filter(run -> run.status() != Status.LEFT_OUT);
        } catch (TimeoutException _) {
            runners.abandon();
            return Optional.empty();
        }
    }
}
