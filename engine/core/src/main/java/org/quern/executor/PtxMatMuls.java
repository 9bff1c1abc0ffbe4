package org.quern.executor;

import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuStream;
import org.quern.kernels.cuda.Gemm;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan;

/// Quern's own matrix products.
final class PtxMatMuls implements MatMuls {
    @Override
    public GpuKernel of(KernelLibrary library, Gemm gemm, DeviceMemory workspace) {
        return new MatMul(library, plan(library.device(), gemm.shape()), gemm, workspace);
    }

    @Override
    public long workspaceBytes(DeviceProperties device, Shape shape) {
        return plan(device, shape).workspaceBytes(shape.m(), shape.n());
    }

    static MatMulPlan plan(DeviceProperties device, Shape shape) {
        return TunedPlans.of(device).warps(device, shape);
    }

    @Override
    public boolean hasEpilogues() {
        return true;
    }

    @Override
    public void prepare(GpuStream stream) {}
}
