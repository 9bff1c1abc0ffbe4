package org.quern.executor;

import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.base.QuernException;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.Gpu;
import org.quern.gpu.Gpus;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.kernels.cuda.ProgrammaticKernels;
import org.quern.ptx.CubinCache;
import org.quern.ptx.emulator.Options;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Devices by the names that people give them.
public final class Devices {
    /// The CPU, as long as training on GPUs was never run on hardware.
    public static final String AUTO = "auto";

    public static final String CPU = "cpu";
    /// A GPU that exists in the JVM: slow, and every access is checked.
    public static final String EMULATED = "emulated";

    /// What `auto` takes, and why.
    public static final String AUTO_REASON =
            "auto takes the CPU: training on GPUs was never run on hardware, cuda tries it";

    /// A system property that makes the emulated GPU fail, so that people see what a run and its scheduler do then:
    /// `allocation:N`, `launch:N` or `lost:N`, N being the number of the allocation or launch.
    static final String FAIL = "quern.emulated.fail";

    private static final Pattern FAULT = Pattern.compile("(allocation|launch|lost):(\\d{1,9})");

    private static final Logger LOG = LoggerFactory.getLogger(Devices.class);

    private Devices() {}

    /// Whether a device could be called so: `auto`, `cpu`, `cuda`, `cuda:N` or `emulated`.
    public static boolean isName(String name) {
        return List.of(AUTO, CPU, EMULATED).contains(name) || isGpu(name);
    }

    /// Whether it is a real GPU's name.
    public static boolean isGpu(String name) {
        return name.matches("cuda(:\\d{1,4})?");
    }

    /// Opens a device and logs which one it is and why.
    ///
    /// @param threads compute threads, if it is the CPU
    /// @param provider of matrix products, if it is a GPU
    /// @param programmatic whether kernels that can begin while the launch before them ends
    /// @throws org.quern.gpu.GpuException if it is a GPU that is not there or cannot be used, with the reason
    public static Executor open(String name, int threads, KernelProvider provider, boolean programmatic) {
        String reason = name + " was asked for";
        String chosen = name;
        if (name.equals(AUTO)) {
            chosen = CPU;
            reason = AUTO_REASON;
        }
        Executor executor = isGpu(chosen)
                ? gpu(chosen, provider, programmatic)
                : chosen.equals(EMULATED) ? emulated(provider, programmatic) : new CpuExecutor(threads);
        LOG.info("device: {} ({})", executor.description(), reason);
        return executor;
    }

    private static Executor gpu(String name, KernelProvider provider, boolean programmatic) {
        Gpu gpu = Gpus.open(name);
        DeviceProperties properties = gpu.properties();
        if (provider.needsWarpgroups() && properties.major() != 9) {
            gpu.close();
            throw QuernException.data("kernels.provider %s needs compute capability 9.0: %s has %d.%d (try ptx)"
                    .formatted(provider.key(), properties.name(), properties.major(), properties.minor()));
        }
        return executor(gpu, LoadedKernels.assembled(gpu, CubinCache.standard()), provider, programmatic);
    }

    /// The oldest GPU that has the provider's kernels.
    private static Executor emulated(KernelProvider provider, boolean programmatic) {
        Options.Device limits = provider.needsWarpgroups() ? Options.Device.SM_90 : Options.Device.SM_80;
        EmulatedGpu gpu = new EmulatedGpu(Options.DEFAULT.withDevice(limits));
        Optional.ofNullable(System.getProperty(FAIL)).ifPresent(fault -> fail(gpu, fault));
        return executor(gpu, LoadedKernels.asText(gpu), provider, programmatic);
    }

    private static Executor executor(Gpu gpu, KernelLibrary kernels, KernelProvider provider, boolean programmatic) {
        return new GpuExecutor(gpu, programmatic ? new ProgrammaticKernels(kernels) : kernels, provider.matMuls());
    }

    private static void fail(EmulatedGpu gpu, String fault) {
        Matcher matcher = FAULT.matcher(fault);
        if (!matcher.matches()) {
            throw QuernException.data("%s must be allocation:N, launch:N or lost:N: got %s".formatted(FAIL, fault));
        }
        long number = Long.parseLong(matcher.group(2));
        switch (matcher.group(1)) {
            case "allocation" -> gpu.failAllocation(number);
            case "launch" -> gpu.failLaunch(number);
            default -> gpu.loseAtLaunch(number);
        }
    }
}
