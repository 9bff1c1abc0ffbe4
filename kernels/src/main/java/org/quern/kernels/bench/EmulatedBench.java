package org.quern.kernels.bench;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuStream;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.ptx.emulator.Statistics;

/// Counts what kernels do on the emulator.
public final class EmulatedBench {
    private EmulatedBench() {}

    /// Runs one launch.
    public static KernelCounts count(KernelBenchmark benchmark) {
        List<Statistics> launches = new ArrayList<>();
        try (EmulatedGpu gpu = new EmulatedGpu();
                LoadedKernels kernels = LoadedKernels.asText(gpu);
                DeviceArena arena = gpu.arena();
                GpuStream stream = gpu.stream()) {
            GpuKernel kernel = benchmark.quern().bind(kernels, new BenchmarkMemory(arena, stream, 1));
            gpu.observe(launches::add);
            kernel.launch(stream);
            stream.synchronize();
        }
        return KernelCounts.of(launches);
    }
}
