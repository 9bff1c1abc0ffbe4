package org.quern.gpu;

import java.util.Optional;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.driver.CUstream;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;

/// NVIDIA's library of matrix products, cuBLAS 12, to compare with and to fall back on: where the system's
/// loader finds `libcublas.so.12` (`LD_LIBRARY_PATH` may name its folder).
public final class CuBlas {
    /// What a product may use while it runs: as much as NVIDIA advises for its fastest ones. Without it, cuBLAS would
    /// allocate.
    public static final long WORKSPACE_BYTES = 32L << 20;

    /// Where a workspace may begin.
    public static final int WORKSPACE_ALIGNMENT = 256;

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

    /// Readies a stream: only then can products on it be captured.
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
    /// @param workspace [#WORKSPACE_BYTES], aligned to [#WORKSPACE_ALIGNMENT]
    /// @throws GpuException if cuBLAS or a real GPU is absent, or if it fails
    public static void multiply(
            GpuStream stream,
            int m,
            int n,
            int k,
            float alpha,
            Factor a,
            Factor b,
            float beta,
            Result c,
            DeviceMemory workspace) {
        // cuBLAS is column-major, where these matrices are their own transposes: C' = op(B)' op(A)'.
        handle(stream).multiply(n, m, k, alpha, b, a, beta, c, workspace);
    }

    /// The library bound to one stream.
    static final class Handle implements AutoCloseable {
        private final cublasHandle handle = new cublasHandle();

        /// The context is current.
        Handle(CUstream stream) {
            load();
            JCublas2.setExceptionsEnabled(false);
            require(JCublas2.cublasCreate(handle), "cublasCreate");
            try {
                require(JCublas2.cublasSetStream(handle, new cudaStream_t(stream)), "cublasSetStream");
            } catch (GpuException e) {
                JCublas2.cublasDestroy(handle);
                throw e;
            }
        }

        private synchronized void multiply(
                int m, int n, int k, float alpha, Factor a, Factor b, float beta, Result c, DeviceMemory workspace) {
            require(JCublas2.cublasSetWorkspace(handle, new Address(workspace), WORKSPACE_BYTES), "cublasSetWorkspace");
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
