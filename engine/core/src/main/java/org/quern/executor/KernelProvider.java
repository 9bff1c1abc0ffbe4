package org.quern.executor;

/// Who computes matrix products on a GPU. All else is Quern's own PTX with either.
///
/// There is no such choice of attention: cuDNN has it in its graph interface only, which JCuda's cuDNN, of
/// version 8, knows by raw descriptors, and what else cuDNN's older interface computes in bf16 no training step
/// is long about.
public enum KernelProvider {
    /// Quern's own kernels, which also do what follows a product.
    PTX(new PtxMatMuls()),
    /// NVIDIA's cuBLAS, to compare with or to fall back on. Bias, residual and GELU take kernels of their own.
    LIBRARY(new LibraryMatMuls()),
    /// Quern's own kernels for compute capability 9.0 (H100, H200), attention's among them. They have run on the
    /// emulator only.
    WARPGROUPS(new WarpgroupMatMuls());

    private final MatMuls matMuls;

    KernelProvider(MatMuls matMuls) {
        this.matMuls = matMuls;
    }

    MatMuls matMuls() {
        return matMuls;
    }
}
