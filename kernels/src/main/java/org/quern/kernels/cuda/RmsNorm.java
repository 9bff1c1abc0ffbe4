package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.ptx.KernelVariant;

/// Root-mean-square normalisation of rows (Zhang and Sennrich, 2019); bf16 with fp32 statistics.
public final class RmsNorm {
    private RmsNorm() {}

    /// y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps).
    ///
    /// @param x bf16 [rows, width]
    /// @param weight bf16 [width]
    /// @param y bf16 [rows, width]; may be `x`
    /// @param rstd fp32 [rows]
    public static GpuKernel forward(
            KernelLibrary library,
            DeviceMemory x,
            DeviceMemory weight,
            DeviceMemory y,
            DeviceMemory rstd,
            int rows,
            int width,
            double eps) {
        Norm norm = new Norm("RMS norm", library, false, rows, width);
        return norm.forward(
                false,
                eps,
                List.of(
                        norm.rows("x", x),
                        norm.weight("weight", weight),
                        norm.rows("y", y),
                        norm.floats("rstd", rstd, rows)));
    }

    /// sum = x + branch, and the norm of that.
    ///
    /// @param x bf16 [rows, width]
    /// @param branch bf16 [rows, width]
    /// @param sum bf16 [rows, width]; may be `x` or `branch`
    /// @param weight bf16 [width]
    /// @param y bf16 [rows, width]
    /// @param rstd fp32 [rows]
    public static GpuKernel addForward(
            KernelLibrary library,
            DeviceMemory x,
            DeviceMemory branch,
            DeviceMemory sum,
            DeviceMemory weight,
            DeviceMemory y,
            DeviceMemory rstd,
            int rows,
            int width,
            double eps) {
        Norm norm = new Norm("RMS norm of a sum", library, false, rows, width);
        return norm.forward(
                true,
                eps,
                List.of(
                        norm.rows("x", x),
                        norm.rows("branch", branch),
                        norm.rows("sum", sum),
                        norm.weight("weight", weight),
                        norm.rows("y", y),
                        norm.floats("rstd", rstd, rows)));
    }

    /// With n = x * rstd and g = dy * weight: dx (+)= rstd * (g - n * mean(g * n)), dWeight (+)= the sum of
    /// dy * n.
    ///
    /// @param x bf16 [rows, width]
    /// @param weight bf16 [width]
    /// @param rstd fp32 [rows], from the forward pass
    /// @param dy bf16 [rows, width]
    /// @param dx bf16 [rows, width]; may be `dy` unless it accumulates
    /// @param dWeight fp32 [width]
    /// @param workspace [#workspaceBytes] bytes
    public static GpuKernel backward(
            KernelLibrary library,
            DeviceMemory x,
            DeviceMemory weight,
            DeviceMemory rstd,
            DeviceMemory dy,
            DeviceMemory dx,
            boolean accumulateX,
            DeviceMemory dWeight,
            boolean accumulateWeight,
            DeviceMemory workspace,
            int rows,
            int width) {
        Norm norm = new Norm("RMS norm gradient", library, false, rows, width);
        return norm.backward(
                accumulateX,
                List.of(
                        norm.rows("x", x),
                        norm.weight("weight", weight),
                        norm.floats("rstd", rstd, rows),
                        norm.rows("dy", dy),
                        norm.rows("dx", dx)),
                workspace,
                List.of(norm.floats("dWeight", dWeight, width)),
                List.of(accumulateWeight));
    }

    /// The scratch that the gradient needs on a device with so many multiprocessors.
    public static long workspaceBytes(int rows, int width, int multiprocessors) {
        return Norm.workspaceBytes(false, rows, width, multiprocessors);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return Norm.variants(false);
    }
}
