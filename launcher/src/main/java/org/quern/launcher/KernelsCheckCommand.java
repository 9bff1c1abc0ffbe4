package org.quern.launcher;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.quern.base.ExitCode;
import org.quern.gpu.DeviceProperties;
import org.quern.kernels.check.CaseOutcome;
import org.quern.kernels.check.CaseOutcome.Status;
import org.quern.kernels.check.CatalogCase;
import org.quern.kernels.check.FamilySummary;
import org.quern.kernels.check.KernelCatalog;
import org.quern.kernels.check.KernelCheck;
import org.quern.kernels.check.KernelCheck.Settings;
import org.quern.kernels.check.KernelFamily;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `quern kernels check`: whether a device computes what the kernels' references say.
@Command(
        name = "check",
        description = {
            "Compares every kernel on many sizes with a reference in double precision, on a GPU also with the emulator.",
            "Probes of single instructions come first: where they fail, nothing else runs. Errors are parts of what is "
                    + "tolerated: up to 1 is right."
        })
final class KernelsCheckCommand implements Callable<Integer> {
    @Mixin
    private DeviceOption device;

    @Mixin
    private NamePattern only;

    @Option(names = "--slow", description = "Large sizes and sweeps, too.")
    private boolean slow;

    @Option(names = "--seed", paramLabel = "S", description = "Of the inputs; ${DEFAULT-VALUE} by default.")
    private long seed = 1;

    @Option(
            names = "--time-limit",
            paramLabel = "SECONDS",
            description = "Begin no case after this time, and run those that say most first.")
    private Optional<Integer> timeLimit = Optional.empty();

    @Option(
            names = "--json",
            description = "Print the outcomes as JSON, a line each, as they come; then what they come to.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    private final List<CaseOutcome> outcomes = new ArrayList<>();
    private final long begin = System.nanoTime();

    private final Supplier<List<KernelFamily>> catalog;

    KernelsCheckCommand() {
        this(KernelCatalog::families);
    }

    /// @param catalog the probes first; asked when the command runs, as every start of the program makes its
    ///     commands
    KernelsCheckCommand(Supplier<List<KernelFamily>> catalog) {
        this.catalog = catalog;
    }

    @Override
    public Integer call() {
        DeviceProperties properties = device.properties();
        List<KernelFamily> all = catalog.get();
        List<KernelFamily> families =
                all.stream().filter(family -> family.runsOn(properties)).toList();
        List<CatalogCase> probes = families.getFirst().allCases(slow).toList();
        List<CatalogCase> rest = families.stream()
                .skip(1)
                .flatMap(family -> family.allCases(slow))
                .filter(one -> only.matches(one.name()))
                .toList();
        if (rest.isEmpty() && probes.stream().noneMatch(one -> only.matches(one.name()))) {
            throw new ParameterException(spec.commandLine(), "--only: no case has %s in its name".formatted(only));
        }
        CheckDisplay display = new CheckDisplay(
                Terminal.error(), json ? Optional.empty() : Optional.of(System.out), device.isEmulated());
        DeviceHeader header = DeviceHeader.of(device.name(), properties, spec);
        line(new Head(header, seed));
        display.begin(
                header,
                seed,
                probes.size() + rest.size(),
                all.stream()
                        .filter(family -> !families.contains(family))
                        .map(KernelFamily::name)
                        .toList());
        run(probes, display);
        boolean probesRight = outcomes.stream().allMatch(outcome -> outcome.status() == Status.OK);
        if (probesRight) {
            run(timeLimit.isPresent() ? CatalogCase.tellingFirst(rest) : rest, display);
        }
        List<FamilySummary> summaries = FamilySummary.of(outcomes);
        display.end(outcomes, summaries);
        line(new End(summaries));
        return (probesRight && summaries.stream().allMatch(this::isRight) ? ExitCode.OK : ExitCode.INTERNAL).code();
    }

    /// The first line of `--json`.
    private record Head(DeviceHeader run, long seed) {}

    /// The last one.
    private record End(List<FamilySummary> families) {}

    private void line(Object what) {
        if (json) {
            System.out.println(JsonOutput.of(what));
        }
    }

    private void run(List<CatalogCase> cases, CheckDisplay display) {
        if (cases.isEmpty()) {
            return;
        }
        if (device.isEmulated()) {
            Settings settings = new Settings(
                    seed,
                    Runtime.getRuntime().availableProcessors(),
                    left().orElse(KernelCheck.FOREVER),
                    KernelCheck.FOREVER);
            KernelCheck.onEmulator(
                    () -> DeviceOption.emulated(seed), settings, cases, outcome -> add(outcome, display));
        } else {
            new CheckWorkers(() -> OwnProgram.command(worker())).run(cases, outcome -> add(outcome, display));
        }
    }

    private List<String> worker() {
        List<String> arguments =
                new ArrayList<>(List.of("kernels", "check-worker", "--device", device.name(), "--seed", "" + seed));
        left().ifPresent(time -> arguments.addAll(List.of("--time-limit", "" + time.toSeconds())));
        return arguments;
    }

    /// Of the time limit.
    private Optional<Duration> left() {
        return timeLimit
                .map(seconds -> Duration.ofSeconds(seconds).minusNanos(System.nanoTime() - begin))
                .map(left -> left.isNegative() ? Duration.ZERO : left);
    }

    private void add(CaseOutcome outcome, CheckDisplay display) {
        outcomes.add(outcome);
        line(outcome);
        display.add(outcome);
    }

    /// What the time limit leaves out is not wrong.
    private boolean isRight(FamilySummary family) {
        return family.failed() == 0 && (family.leftOut() == 0 || timeLimit.isPresent());
    }
}
