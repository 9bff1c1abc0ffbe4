package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuFunction;
import org.quern.gpu.Launch;
import org.quern.kernels.check.CheckDevice;
import org.quern.kernels.check.CheckDevice.Result;
import org.quern.kernels.check.KernelCase;
import org.quern.ptx.KernelVariant;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Options.Blocks;
import org.quern.ptx.emulator.Options.Copies;
import org.quern.ptx.emulator.Options.Schedule;
import org.quern.ptx.emulator.Statistics;

/// An emulated GPU with its kernels, which runs cases one after the other.
public final class EmulatedKernels implements AutoCloseable {
    /// Ways to run a kernel of which none may make a difference: all modes, orders and schedules.
    public static final List<Options> CHOICES = List.of(
            Options.DEFAULT,
            Options.DEFAULT
                    .withSeed(2)
                    .withCopies(Copies.LAZY)
                    .withBlocks(Blocks.DESCENDING)
                    .withSchedule(Schedule.ADVERSARIAL),
            Options.DEFAULT
                    .withSeed(3)
                    .withCopies(Copies.RANDOM)
                    .withBlocks(Blocks.SHUFFLED)
                    .withSchedule(Schedule.RANDOM));

    private static final long INPUTS = 1;

    private final EmulatedGpu gpu;
    private final KernelLibrary loaded;
    private final Set<KernelVariant> used = new LinkedHashSet<>();
    private final List<Statistics> statistics = new ArrayList<>();

    public EmulatedKernels(Options options) {
        this(options, false);
    }

    /// @param programmatic whether launches may overtake those before them
    EmulatedKernels(Options options, boolean programmatic) {
        gpu = new EmulatedGpu(options);
        gpu.observe(statistics::add);
        LoadedKernels kernels = LoadedKernels.asText(gpu);
        loaded = programmatic ? new ProgrammaticKernels(kernels) : kernels;
    }

    /// Runs a case on inputs that are always the same.
    ///
    /// @return what it has compared
    public List<Result> run(KernelCase kernelCase) {
        statistics.clear();
        try (CheckDevice device = new CheckDevice(gpu, library(), INPUTS, false)) {
            kernelCase.body().run(device);
            return List.copyOf(device.results());
        }
    }

    /// Of each launch of the last case.
    public List<Statistics> statistics() {
        return List.copyOf(statistics);
    }

    /// The variants that the cases have asked for.
    public Set<KernelVariant> usedVariants() {
        return used;
    }

    KernelLibrary library() {
        return new KernelLibrary() {
            @Override
            public DeviceProperties device() {
                return loaded.device();
            }

            @Override
            public GpuFunction function(KernelVariant variant, String entry) {
                used.add(variant);
                return loaded.function(variant, entry);
            }

            @Override
            public Launch dependent(Launch launch) {
                return loaded.dependent(launch);
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public void close() {
        try (gpu) {
            loaded.close();
        }
    }
}
