package org.quern.launcher;

import java.util.Optional;
import java.util.regex.Pattern;
import org.quern.gpu.CudaDriver;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.Gpu;
import org.quern.gpu.Gpus;
import org.quern.kernels.cuda.KernelDevice;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.ptx.CubinCache;
import org.quern.ptx.emulator.Options;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/// `--device` of the verbs that run kernels.
final class DeviceOption {
    private static final String EMULATED = "emulated";
    /// Of the emulated device: it runs all kernels.
    private static final Options.Device LIMITS = Options.Device.SM_90;

    private static final Pattern CUDA = Pattern.compile("cuda(:\\d{1,4})?");

    @Spec(Target.MIXEE)
    private CommandSpec command;

    private Optional<String> name = Optional.empty();

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            description = "cuda, cuda:N or emulated; by default cuda where there is a driver, else emulated.")
    void name(String name) {
        if (!name.equals(EMULATED) && !CUDA.matcher(name).matches()) {
            throw new ParameterException(
                    command.commandLine(), "--device must be cuda, cuda:N or emulated: got " + name);
        }
        this.name = Optional.of(name);
    }

    /// For what makes no sense on the emulator: takes a GPU unless something else was asked for.
    void preferGpu() {
        if (name.isEmpty()) {
            name = Optional.of("cuda");
        }
    }

    boolean isEmulated() {
        return name().equals(EMULATED);
    }

    String name() {
        return name.orElseGet(() -> CudaDriver.isInstalled() ? "cuda" : EMULATED);
    }

    /// Opens the device.
    ///
    /// @throws org.quern.gpu.GpuException if it cannot be used, with the reason
    KernelDevice open() {
        if (isEmulated()) {
            return emulated(new EmulatedGpu(Options.DEFAULT.withDevice(LIMITS)));
        }
        Gpu gpu = Gpus.open(name());
        return new KernelDevice(gpu, LoadedKernels.assembled(gpu, CubinCache.standard()));
    }

    /// An emulator that decides by a seed what hardware is free to choose.
    static KernelDevice emulated(long seed) {
        return emulated(seed, LIMITS);
    }

    /// An emulator for which kernels are planned as for a GPU, so that both can give the same bits.
    static KernelDevice emulated(long seed, DeviceProperties gpu) {
        return emulated(
                seed,
                new Options.Device(
                        10 * gpu.major() + gpu.minor(),
                        gpu.multiprocessors(),
                        gpu.sharedBytesPerBlock(),
                        LIMITS.sharedBytesReserved(),
                        LIMITS.threadsPerBlock(),
                        LIMITS.barriers()));
    }

    private static KernelDevice emulated(long seed, Options.Device limits) {
        return emulated(new EmulatedGpu(Options.DEFAULT
                .withDevice(limits)
                .withSeed(seed)
                .withCopies(Options.Copies.RANDOM)
                .withBlocks(Options.Blocks.SHUFFLED)
                .withSchedule(Options.Schedule.RANDOM)));
    }

    private static KernelDevice emulated(EmulatedGpu gpu) {
        return new KernelDevice(gpu, LoadedKernels.asText(gpu));
    }

    /// What it is.
    DeviceProperties properties() {
        try (KernelDevice device = open()) {
            return device.gpu().properties();
        }
    }

    /// Says what it is, and how it was asked for.
    DeviceHeader header(CommandSpec spec) {
        return DeviceHeader.of(name(), properties(), spec);
    }
}
