package org.quern.executor;

import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuStream;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.WarpgroupAttention;
import org.quern.kernels.cuda.WarpgroupMatMul;
import org.quern.kernels.cuda.WarpgroupMatMul.Plan;

/// Quern's own kernels for compute capability 9.0, and its others where rows are not aligned to 16 bytes or
/// heads are of other sizes.
final class WarpgroupMatMuls implements MatMuls {
    @Override
    public GpuKernel of(
            KernelLibrary library,
            Shape shape,
            Matrix a,
            Matrix b,
            Matrix c,
            Epilogue epilogue,
            DeviceMemory workspace) {
        return WarpgroupMatMul.takes(a) && WarpgroupMatMul.takes(b)
                ? new WarpgroupMatMul(
                        library, Plan.choose(library.device(), shape), shape, a, b, c, 1, epilogue, workspace)
                : new MatMul(library, shape, a, b, c, 1, epilogue, workspace);
    }

    /// Enough for either.
    @Override
    public long workspaceBytes(DeviceProperties device, Shape shape) {
        return Math.max(
                MatMul.workspaceBytes(device, shape), Plan.choose(device, shape).workspaceBytes(shape.m(), shape.n()));
    }

    @Override
    public GpuKernel attention(
            KernelLibrary library,
            DeviceMemory qkv,
            DeviceMemory starts,
            DeviceMemory out,
            DeviceMemory lse,
            Attention.Shape shape) {
        return WarpgroupAttention.HEAD_DIMS.contains(shape.headDim())
                ? new WarpgroupAttention.Forward(library, qkv, starts, out, lse, shape)
                : MatMuls.super.attention(library, qkv, starts, out, lse, shape);
    }

    @Override
    public GpuKernel attentionGradient(
            KernelLibrary library,
            DeviceMemory qkv,
            DeviceMemory starts,
            DeviceMemory out,
            DeviceMemory lse,
            DeviceMemory dOut,
            DeviceMemory dQkv,
            DeviceMemory workspace,
            Attention.Shape shape) {
        return WarpgroupAttention.HEAD_DIMS.contains(shape.headDim())
                ? new WarpgroupAttention.Backward(library, qkv, starts, out, lse, dOut, dQkv, workspace, shape)
                : MatMuls.super.attentionGradient(library, qkv, starts, out, lse, dOut, dQkv, workspace, shape);
    }

    @Override
    public boolean hasEpilogues() {
        return true;
    }

    @Override
    public void prepare(GpuStream stream) {}
}
