package org.quern.launcher;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.gpu.DeviceProperties;
import org.quern.kernels.check.CaseOutcome;
import org.quern.kernels.check.CatalogCase;
import org.quern.kernels.check.KernelCatalog;
import org.quern.kernels.check.KernelCheck;
import org.quern.kernels.check.KernelCheck.Settings;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `quern kernels check-worker`: runs the cases whose names come in, a line each, and prints their outcomes, a line of
/// JSON each. [CheckWorkers] starts it: a fault costs the process, and a device that hangs goes on with it.
@Command(name = "check-worker", hidden = true)
final class CheckWorkerCommand implements Callable<Integer> {
    /// More than any case takes on a GPU.
    private static final Duration CASE_LIMIT = Duration.ofSeconds(60);

    @Mixin
    private DeviceOption device;

    @Option(names = "--seed")
    private long seed;

    @Option(names = "--time-limit")
    private Optional<Integer> timeLimit = Optional.empty();

    @Override
    public Integer call() throws IOException {
        Map<String, CatalogCase> known =
                KernelCatalog.cases(true).collect(Collectors.toMap(CatalogCase::name, Function.identity()));
        List<CatalogCase> cases = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))
                .lines()
                .map(known::get)
                .toList();
        Settings settings = new Settings(
                seed,
                Runtime.getRuntime().availableProcessors(),
                timeLimit.map(Duration::ofSeconds).orElse(KernelCheck.FOREVER),
                CASE_LIMIT);
        if (device.isEmulated()) {
            KernelCheck.onEmulator(() -> DeviceOption.emulated(seed), settings, cases, CheckWorkerCommand::print);
        } else {
            DeviceProperties gpu = device.properties();
            KernelCheck.onGpu(
                    device::open, () -> DeviceOption.emulated(seed, gpu), settings, cases, CheckWorkerCommand::print);
        }
        return ExitCode.OK.code();
    }

    private static void print(CaseOutcome outcome) {
        System.out.println(Json.MAPPER.writeValueAsString(outcome));
    }
}
