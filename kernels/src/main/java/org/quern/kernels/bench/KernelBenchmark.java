package org.quern.kernels.bench;

import java.util.Map;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;

/// A kernel on one size, to be timed.
///
/// @param name kernel and sizes, unique: `matmul nt 65536x2304x768`
/// @param family of the kernel
/// @param flop operations that one launch must do; 0 where they do not count
/// @param bytes the fewest that one launch must move through the device's memory
/// @param quern binds our kernel to buffers of its own
/// @param libraries the same by NVIDIA's libraries, by their names: `cuBLAS`; and by kernels of ours that a
///     device may lack what they need for: `wgmma`
/// @param question what a rival that knows no names is asked to time: `op` and its sizes; empty if nobody is asked
public record KernelBenchmark(
        String name,
        String family,
        double flop,
        double bytes,
        Setup quern,
        Map<String, Setup> libraries,
        Map<String, Object> question) {
    /// Our kernels that every device has.
    public static final String QUERN = "Quern";
    /// Those of warpgroups, for compute capability 9.0 alone.
    public static final String WGMMA = "wgmma";
    /// The gradient of attention in one pass, by warpgroups as well.
    public static final String WGMMA_FUSED = "wgmma fused";
    /// Products of floats of 8 bits, which compute something else.
    public static final String FP8 = "fp8";

    /// Binds a kernel to buffers.
    @FunctionalInterface
    public interface Setup {
        /// @param kernels where the functions come from
        /// @param memory where the buffers come from; asked anew for every copy of them
        GpuKernel bind(KernelLibrary kernels, BenchmarkMemory memory);
    }

    /// The least time that a device with these ceilings needs.
    public double floorSeconds(Ceilings ceilings) {
        return Math.max(flop / ceilings.flopPerSecond(), bytes / ceilings.bytesPerSecond());
    }

    /// Whether arithmetic, and not memory, is what limits it on such a device.
    public boolean isBoundByArithmetic(Ceilings ceilings) {
        return flop / ceilings.flopPerSecond() > bytes / ceilings.bytesPerSecond();
    }
}
