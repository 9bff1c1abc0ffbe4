package org.quern.gpu;

import static org.quern.gpu.CudaStatus.check;

import java.util.Optional;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;

/// NVIDIA's library of matrix products, cuBLAS 12, to compare with and to fall back on: where the system's loader finds
/// `libcublas.so.12`
/// (`LD_LIBRARY_PATH` may name its folder).
public final class CuBlas {
    /// What NVIDIA advises for its fastest products. Without it, cuBLAS would allocate during a capture.
    private static final long WORKSPACE_BYTES = 32L << 20;

    private CuBlas() {}

    /// A row-major matrix of brain floats.
    ///
    /// @param stride elements from one row to the next
    /// @param transposed whether the product takes its transpose
    public record Factor(DeviceMemory memory, int stride, boolean transposed) {}

    /// The row-major result.
    ///
    /// @param f32 whether of floats, else of brain floats
    public record Result(DeviceMemory memory, int stride, boolean f32) {}

    /// Why it cannot be used; empty if it can.
    public static Optional<String> absence() {
        try {
            CudaDriver.start();
            load();
            return Optional.empty();
        } catch (GpuException e) {
            return Optional.of(e.getMessage());
        }
    }

    private static void load() {
        JCudaNatives.load("JCublas2", JCublas2.class);
    }

    /// Readies a stream: only then can products on it be captured, as this allocates.
    ///
    /// @throws GpuException if cuBLAS or a real GPU is absent
    public static void prepare(GpuStream stream) {
        handle(stream);
    }

    private static Handle handle(GpuStream stream) {
        if (!(stream instanceof JCudaStream real)) {
            throw new GpuException("cuBLAS works on real GPUs only");
        }
        return real.blas();
    }

    /// C = alpha op(A) op(B) + beta C, accumulated in fp32; op(A) is [m, k], op(B) is [k, n].
    ///
    /// The first on a stream calls [#prepare].
    ///
    /// @throws GpuException if cuBLAS or a real GPU is absent, or if it fails
    public static void multiply(
            GpuStream stream, int m, int n, int k, float alpha, Factor a, Factor b, float beta, Result c) {
        // cuBLAS is column-major, where these matrices are their own transposes: C' = op(B)' op(A)'.
        handle(stream).multiply(n, m, k, alpha, b, a, beta, c);
    }

    /// The library bound to one stream, with a workspace, which streams cannot share.
    static final class Handle implements AutoCloseable {
        private final cublasHandle handle = new cublasHandle();
        private final CUdeviceptr workspace = new CUdeviceptr();

        /// The context is current.
        Handle(CUstream stream) {
            load();
            JCublas2.setExceptionsEnabled(false);
            check(JCudaDriver.cuMemAlloc(workspace, WORKSPACE_BYTES), "cuMemAlloc of cuBLAS's workspace");
            try {
                require(JCublas2.cublasCreate(handle), "cublasCreate");
                require(JCublas2.cublasSetStream(handle, new cudaStream_t(stream)), "cublasSetStream");
                // After the stream, which takes the workspace away.
                require(JCublas2.cublasSetWorkspace(handle, workspace, WORKSPACE_BYTES), "cublasSetWorkspace");
            } catch (GpuException e) {
                JCublas2.cublasDestroy(handle);
                JCudaDriver.cuMemFree(workspace);
                throw e;
            }
        }

        private synchronized void multiply(int m, int n, int k, float alpha, Factor a, Factor b, float beta, Result c) {
            require(
                    JCublas2.cublasGemmEx_new(
                            handle,
                            operation(a),
                            operation(b),
                            m,
                            n,
                            k,
                            Pointer.to(new float[] {alpha}),
                            new Address(a.memory),
                            cudaDataType.CUDA_R_16BF,
                            a.stride,
                            new Address(b.memory),
                            cudaDataType.CUDA_R_16BF,
                            b.stride,
                            Pointer.to(new float[] {beta}),
                            new Address(c.memory),
                            c.f32 ? cudaDataType.CUDA_R_32F : cudaDataType.CUDA_R_16BF,
                            c.stride,
                            cublasComputeType.CUBLAS_COMPUTE_32F,
                            cublasGemmAlgo.CUBLAS_GEMM_DEFAULT),
                    "cublasGemmEx");
        }

        private static int operation(Factor factor) {
            return factor.transposed ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
        }

        @Override
        public void close() {
            require(JCublas2.cublasDestroy(handle), "cublasDestroy");
            check(JCudaDriver.cuMemFree(workspace), "cuMemFree of cuBLAS's workspace");
        }

        private static void require(int status, String call) {
            if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
                throw new GpuException("%s failed: %s".formatted(call, cublasStatus.stringFor(status)));
            }
        }
    }

    /// An address as JCuda takes it.
    private static final class Address extends Pointer {
        Address(DeviceMemory memory) {
            super(memory.address());
        }
    }
}
