package org.quern.executor;

import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuStream;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.WarpgroupAttention;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import org.quern.kernels.cuda.WarpgroupMatMul;
import org.quern.kernels.cuda.WarpgroupMatMul.Plan;

/// Quern's own kernels for compute capability 9.0, and its others where rows are not aligned to 16 bytes or
/// heads are of other sizes.
class WarpgroupMatMuls implements MatMuls {
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
                ? plan(library.device(), shape).bind(library, shape, a, b, c, epilogue, workspace)
                : PtxMatMuls.plan(library.device(), shape).bind(library, shape, a, b, c, epilogue, workspace);
    }

    /// Enough for either.
    @Override
    public long workspaceBytes(DeviceProperties device, Shape shape) {
        return Math.max(
                PtxMatMuls.plan(device, shape).workspaceBytes(shape.m(), shape.n()),
                plan(device, shape).workspaceBytes(shape.m(), shape.n()));
    }

    private static Plan plan(DeviceProperties device, Shape shape) {
        return TunedPlans.of(device).warpgroups(device, shape);
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
                ? gradient(library.device(), shape).bind(library, qkv, starts, out, lse, dOut, dQkv, workspace, shape)
                : MatMuls.super.attentionGradient(library, qkv, starts, out, lse, dOut, dQkv, workspace, shape);
    }

    @Override
    public long attentionWorkspaceBytes(DeviceProperties device, Attention.Shape shape) {
        return WarpgroupAttention.HEAD_DIMS.contains(shape.headDim())
                ? gradient(device, shape).workspaceBytes(device, shape)
                : MatMuls.super.attentionWorkspaceBytes(device, shape);
    }

    private static Gradient gradient(DeviceProperties device, Attention.Shape shape) {
        return TunedPlans.of(device).attentionGradient(device, shape);
    }

    @Override
    public boolean hasEpilogues() {
        return true;
    }

    @Override
    public void prepare(GpuStream stream) {}
}
