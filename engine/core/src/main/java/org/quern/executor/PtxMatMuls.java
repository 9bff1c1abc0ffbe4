package org.quern.executor;

import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuStream;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;

/// Quern's own matrix products.
final class PtxMatMuls implements MatMuls {
    @Override
    public GpuKernel of(
            KernelLibrary library,
            Shape shape,
            Matrix a,
            Matrix b,
            Matrix c,
            Epilogue epilogue,
            DeviceMemory workspace) {
        return new MatMul(library, shape, a, b, c, 1, epilogue, workspace);
    }

    @Override
    public long workspaceBytes(DeviceProperties device, Shape shape) {
        return MatMul.workspaceBytes(device, shape);
    }

    @Override
    public boolean hasEpilogues() {
        return true;
    }

    @Override
    public void prepare(GpuStream stream) {}
}
