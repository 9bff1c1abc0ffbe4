package org.quern.kernels.bench;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuStream;
import org.quern.kernels.bench.KernelBenchmark.Setup;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Statistics;

/// Counts what kernels do on the emulator.
public final class EmulatedBench {
    private EmulatedBench() {}

    /// Runs one launch on a device of sm_80.
    public static KernelCounts count(KernelBenchmark benchmark) {
        return count(benchmark.quern(), Options.Device.SM_80);
    }

    static KernelCounts count(Setup setup, Options.Device device) {
        List<Statistics> launches = new ArrayList<>();
        try (EmulatedGpu gpu = new EmulatedGpu(Options.DEFAULT.withDevice(device));
                LoadedKernels kernels = LoadedKernels.asText(gpu);
                DeviceArena arena = gpu.arena();
                GpuStream stream = gpu.stream()) {
            GpuKernel kernel = setup.bind(kernels, new BenchmarkMemory(arena, stream, 1));
            gpu.observe(launches::add);
            kernel.launch(stream);
            stream.synchronize();
        }
        return KernelCounts.of(launches);
    }
}
