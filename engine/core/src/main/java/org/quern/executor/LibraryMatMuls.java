package org.quern.executor;

import org.quern.gpu.CuBlas;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.kernels.cuda.Gemm;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.LibraryMatMul;
import org.quern.kernels.cuda.MatMul.Shape;

/// cuBLAS's matrix products.
final class LibraryMatMuls implements MatMuls {
    @Override
    public GpuKernel of(KernelLibrary library, Gemm gemm, DeviceMemory workspace) {
        return new LibraryMatMul(gemm, workspace);
    }

    @Override
    public long workspaceBytes(DeviceProperties device, Shape shape) {
        return CuBlas.WORKSPACE_BYTES;
    }

    @Override
    public boolean hasEpilogues() {
        return false;
    }

    @Override
    public void prepare(GpuStream stream) {
        try {
            CuBlas.prepare(stream);
        } catch (GpuException e) {
            throw new GpuException(
                    ("kernels.provider is library, but cuBLAS cannot be used: %s%nInstall NVIDIA's cuBLAS 12"
                                    + " (libcublas.so.12), name its folder in LD_LIBRARY_PATH, or set"
                                    + " kernels.provider: ptx, which needs none.")
                            .formatted(e.getMessage()),
                    e);
        }
    }
}
