package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.ptx.KernelVariant;

/// Normalisation of rows by mean and variance (Ba et al., 2016); bf16 with fp32 statistics.
public final class LayerNorm {
    private LayerNorm() {}

    /// y = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(mean((x - mean)^2) + eps).
    ///
    /// @param x bf16 [rows, width]
    /// @param weight bf16 [width]
    /// @param bias bf16 [width]
    /// @param y bf16 [rows, width]; may be `x`
    /// @param mean fp32 [rows]
    /// @param rstd fp32 [rows]
    public static GpuKernel forward(
            KernelLibrary library,
            DeviceMemory x,
            DeviceMemory weight,
            DeviceMemory bias,
            DeviceMemory y,
            DeviceMemory mean,
            DeviceMemory rstd,
            int rows,
            int width,
            double eps) {
        Norm norm = new Norm("layer norm", library, true, rows, width);
        return norm.forward(
                false,
                eps,
                List.of(
                        norm.rows("x", x),
                        norm.weight("weight", weight),
                        norm.weight("bias", bias),
                        norm.rows("y", y),
                        norm.floats("mean", mean, rows),
                        norm.floats("rstd", rstd, rows)));
    }

    /// sum = x + branch, and the norm of that.
    ///
    /// @param x bf16 [rows, width]
    /// @param branch bf16 [rows, width]
    /// @param sum bf16 [rows, width]; may be `x` or `branch`
    /// @param weight bf16 [width]
    /// @param bias bf16 [width]
    /// @param y bf16 [rows, width]
    /// @param mean fp32 [rows]
    /// @param rstd fp32 [rows]
    public static GpuKernel addForward(
            KernelLibrary library,
            DeviceMemory x,
            DeviceMemory branch,
            DeviceMemory sum,
            DeviceMemory weight,
            DeviceMemory bias,
            DeviceMemory y,
            DeviceMemory mean,
            DeviceMemory rstd,
            int rows,
            int width,
            double eps) {
        Norm norm = new Norm("layer norm of a sum", library, true, rows, width);
        return norm.forward(
                true,
                eps,
                List.of(
                        norm.rows("x", x),
                        norm.rows("branch", branch),
                        norm.rows("sum", sum),
                        norm.weight("weight", weight),
                        norm.weight("bias", bias),
                        norm.rows("y", y),
                        norm.floats("mean", mean, rows),
                        norm.floats("rstd", rstd, rows)));
    }

    /// With n = (x - mean) * rstd and g = dy * weight: dx (+)= rstd * (g - mean(g) - n * mean(g * n)),
    /// dWeight (+)= the sum of dy * n, dBias (+)= the sum of dy.
    ///
    /// @param x bf16 [rows, width]
    /// @param weight bf16 [width]
    /// @param mean fp32 [rows], from the forward pass
    /// @param rstd fp32 [rows], from the forward pass
    /// @param dy bf16 [rows, width]
    /// @param dx bf16 [rows, width]; may be `dy` unless it accumulates
    /// @param dWeight fp32 [width]
    /// @param dBias fp32 [width]
    /// @param workspace [#workspaceBytes] bytes
    public static GpuKernel backward(
            KernelLibrary library,
            DeviceMemory x,
            DeviceMemory weight,
            DeviceMemory mean,
            DeviceMemory rstd,
            DeviceMemory dy,
            DeviceMemory dx,
            boolean accumulateX,
            DeviceMemory dWeight,
            boolean accumulateWeight,
            DeviceMemory dBias,
            boolean accumulateBias,
            DeviceMemory workspace,
            int rows,
            int width) {
        Norm norm = new Norm("layer norm gradient", library, true, rows, width);
        return norm.backward(
                accumulateX,
                List.of(
                        norm.rows("x", x),
                        norm.weight("weight", weight),
                        norm.floats("mean", mean, rows),
                        norm.floats("rstd", rstd, rows),
                        norm.rows("dy", dy),
                        norm.rows("dx", dx)),
                workspace,
                List.of(norm.floats("dWeight", dWeight, width), norm.floats("dBias", dBias, width)),
                List.of(accumulateWeight, accumulateBias));
    }

    /// The scratch that the gradient needs on a device with so many multiprocessors.
    public static long workspaceBytes(int rows, int width, int multiprocessors) {
        return Norm.workspaceBytes(true, rows, width, multiprocessors);
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return Norm.variants(true);
    }
}
