package org.quern.executor;

import java.util.Locale;
import org.quern.graph.Graph;

/// Who computes matrix products on a GPU, and which of Quern's own kernels attention. All else is the same PTX with
/// any of them.
///
/// No library is asked for attention: cuDNN has it in its graph interface only, which JCuda's cuDNN, of version 8,
/// knows by raw descriptors; and what its older interface computes in bf16 takes little of a training step.
public enum KernelProvider {
    /// Quern's own kernels, which also do what follows a product.
    PTX(new PtxMatMuls()),
    /// NVIDIA's cuBLAS, to compare with or to fall back on. Bias, residual and GELU take kernels of their own.
    LIBRARY(new LibraryMatMuls()),
    /// Quern's own kernels for compute capability 9.0 (H100, H200), attention's among them. They have run on the
    /// emulator only. What they cannot do, PTX's do.
    WARPGROUPS(new WarpgroupMatMuls()),
    /// The same with the products of linear layers in floats of 8 bits: fewer bits than all others take.
    FP8(new Fp8MatMuls());

    private final MatMuls matMuls;

    KernelProvider(MatMuls matMuls) {
        this.matMuls = matMuls;
    }

    /// Whether its kernels are those of compute capability 9.0.
    public boolean needsWarpgroups() {
        return this == WARPGROUPS || this == FP8;
    }

    /// As configurations call it: `warpgroups`.
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    /// A graph as its kernels run it on a GPU.
    public Graph lower(Graph graph) {
        return matMuls.lower(graph);
    }

    MatMuls matMuls() {
        return matMuls;
    }
}
