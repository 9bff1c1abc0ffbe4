package org.quern.executor;

import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuStream;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Attention.Operands;
import org.quern.kernels.cuda.Gemm;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.WarpgroupAttention;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;
import org.quern.kernels.cuda.WarpgroupMatMul;
import org.quern.kernels.cuda.WarpgroupMatMulPlan;

/// Quern's own kernels for compute capability 9.0, and its others where rows are not aligned to 16 bytes or
/// heads are of other sizes.
class WarpgroupMatMuls implements MatMuls {
    @Override
    public GpuKernel of(KernelLibrary library, Gemm gemm, DeviceMemory workspace) {
        DeviceProperties device = library.device();
        return WarpgroupMatMul.takes(gemm.a()) && WarpgroupMatMul.takes(gemm.b())
                ? new WarpgroupMatMul(library, plan(device, gemm.shape()), gemm, workspace)
                : new MatMul(library, PtxMatMuls.plan(device, gemm.shape()), gemm, workspace);
    }

    /// Enough for either.
    @Override
    public long workspaceBytes(DeviceProperties device, Shape shape) {
        return Math.max(
                PtxMatMuls.plan(device, shape).workspaceBytes(shape.m(), shape.n()),
                plan(device, shape).workspaceBytes(shape.m(), shape.n()));
    }

    private static WarpgroupMatMulPlan plan(DeviceProperties device, Shape shape) {
        return TunedPlans.of(device).warpgroups(device, shape);
    }

    @Override
    public GpuKernel attention(KernelLibrary library, Operands operands) {
        return WarpgroupAttention.HEAD_DIMS.contains(operands.shape().headDim())
                ? new WarpgroupAttention.Forward(library, operands)
                : MatMuls.super.attention(library, operands);
    }

    @Override
    public GpuKernel attentionGradient(
            KernelLibrary library, Operands operands, DeviceMemory dOut, DeviceMemory dQkv, DeviceMemory workspace) {
        return WarpgroupAttention.HEAD_DIMS.contains(operands.shape().headDim())
                ? gradient(library.device(), operands.shape()).bind(library, operands, dOut, dQkv, workspace)
                : MatMuls.super.attentionGradient(library, operands, dOut, dQkv, workspace);
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
