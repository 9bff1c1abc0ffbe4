package org.quern.launcher;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.executor.KernelProvider;
import org.quern.executor.TunedPlans;
import org.quern.kernels.bench.BenchmarkCatalog;
import org.quern.kernels.bench.ProductTuner;
import org.quern.kernels.cuda.KernelDevice;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `quern kernels tune`: measures how a device multiplies fastest, and which form of attention's gradient is faster.
@Command(
        name = "tune",
        description = {
            "Times matrix products of GPT-2 124M, 1.5B and Llama 8B by all plans that may be the fastest (kernel, tile, "
                    + "parts of k), and gradients of attention in both forms, and writes a table that training on this "
                    + "device then goes by.",
            "Plans whose result differs from the plain kernels' by more than roundings are named and left out. What is in "
                    + "the table of the same kernels and driver is not measured again: a command that was stopped goes on."
        })
final class KernelsTuneCommand implements Callable<Integer> {
    /// The fastest first.
    static final List<KernelProvider> PROVIDERS =
            List.of(KernelProvider.WARPGROUPS, KernelProvider.PTX, KernelProvider.FP8);

    @Mixin
    private DeviceOption device;

    @Mixin
    private NamePattern only;

    @Option(
            names = "--provider",
            paramLabel = "NAME",
            description = "Kernels to tune, by their name in kernels.provider; all that the device can run by default."
                    + " May be repeated.")
    private List<KernelProvider> providers = PROVIDERS;

    @Option(
            names = "--gradient",
            paramLabel = "FORM",
            description =
                    "Forms of attention's gradient that may be taken: two_kernels, fused; both by default. One that"
                            + " is left out is not trained with where the table goes. May be repeated.")
    private List<Gradient> gradients = List.of(Gradient.values());

    @Option(
            names = "--minutes",
            paramLabel = "N",
            description = "Begin no product after this time; ${DEFAULT-VALUE} by default.")
    private double minutes = 10;

    @Option(
            names = "--seconds",
            paramLabel = "N",
            description = "For each plan that is among a product's fastest; ${DEFAULT-VALUE} by default.")
    private double seconds = 0.2;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            description = "The table; by default the one that training reads, in Quern's cache.")
    private Optional<Path> output = Optional.empty();

    @Option(names = "--json", description = "Print what was found of each product as JSON, a line each, as it comes.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        if (minutes <= 0 || seconds <= 0) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--minutes and --seconds must be > 0: got %s and %s".formatted(minutes, seconds));
        }
        if (!PROVIDERS.containsAll(providers)) {
            throw new ParameterException(
                    spec.commandLine(), "--provider: kernels of %s are tuned: got %s".formatted(PROVIDERS, providers));
        }
        device.preferGpu();
        if (device.isEmulated()) {
            throw new ParameterException(
                    spec.commandLine(), "--device: kernels are tuned on a GPU, the emulator has no time: got emulated");
        }
        List<TuningTask<?>> tasks =
                KernelTuning.tasks(BenchmarkCatalog.products(), BenchmarkCatalog.attentions(), providers, gradients)
                        .stream()
                        .filter(task -> only.matches(task.name()))
                        .toList();
        if (tasks.isEmpty()) {
            throw new ParameterException(
                    spec.commandLine(), "--only: no product or gradient has %s in its name".formatted(only));
        }
        try (KernelDevice kernels = device.open();
                ProductTuner tuner = new ProductTuner(kernels, seconds)) {
            DeviceHeader header = DeviceHeader.of(device.name(), kernels.gpu().properties(), spec);
            boolean right = new KernelTuning(kernels, header, tuner, this::print, this::line)
                    .run(tasks, output.orElseGet(() -> TunedPlans.file(header.device())), Duration.ofMillis((long)
                            (minutes * 60_000)));
            return (right ? ExitCode.OK : ExitCode.INTERNAL).code();
        }
    }

    private void print(String text) {
        if (!json) {
            System.out.println(text);
        }
    }

    private void line(KernelTuning.Result result) {
        if (json) {
            System.out.println(JsonOutput.of(result));
        }
    }
}
