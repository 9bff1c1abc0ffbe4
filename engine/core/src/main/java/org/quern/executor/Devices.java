package org.quern.executor;

import java.util.List;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.Gpu;
import org.quern.gpu.Gpus;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.ptx.CubinCache;
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
    /// @throws org.quern.gpu.GpuException if it is a GPU that is not there or cannot be used, with the reason
    public static Executor open(String name, int threads, KernelProvider provider) {
        String reason = name + " was asked for";
        String chosen = name;
        if (name.equals(AUTO)) {
            chosen = CPU;
            reason = AUTO_REASON;
        }
        Executor executor =
                isGpu(chosen) ? gpu(chosen, provider) : chosen.equals(EMULATED) ? emulated() : new CpuExecutor(threads);
        LOG.info("device: {} ({})", executor.description(), reason);
        return executor;
    }

    private static Executor gpu(String name, KernelProvider provider) {
        Gpu gpu = Gpus.open(name);
        return new GpuExecutor(gpu, LoadedKernels.assembled(gpu, CubinCache.standard()), provider.matMuls());
    }

    private static Executor emulated() {
        EmulatedGpu gpu = new EmulatedGpu();
        return new GpuExecutor(gpu, LoadedKernels.asText(gpu));
    }
}
