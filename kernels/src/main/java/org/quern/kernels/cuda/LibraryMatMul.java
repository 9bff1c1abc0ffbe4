package org.quern.kernels.cuda;

import org.quern.gpu.CuBlas;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;

/// What [MatMul] does, by cuBLAS: to compare with and to fall back on. It knows fewer epilogues: none, and adding to C
/// itself.
public final class LibraryMatMul implements GpuKernel {
    private final Gemm gemm;
    private final CuBlas.Factor a;
    private final CuBlas.Factor b;
    private final CuBlas.Result c;
    private final DeviceMemory workspace;

    /// @param workspace [CuBlas#WORKSPACE_BYTES], which others may use while this does not run
    /// @throws GpuException if cuBLAS is absent, with the reason, or has no such epilogue, or as [MatMul] does
    public LibraryMatMul(Gemm gemm, DeviceMemory workspace) {
        Shape shape = gemm.shape();
        CuBlas.absence().ifPresent(reason -> {
            throw new GpuException("%s by cuBLAS: %s".formatted(shape, reason));
        });
        if (!isKnown(gemm.c(), gemm.epilogue())) {
            throw new GpuException("%s by cuBLAS: it has no epilogue but adding to C".formatted(shape));
        }
        gemm.check(Short.BYTES);
        gemm.checkBuffer("the workspace", workspace, CuBlas.WORKSPACE_BYTES, CuBlas.WORKSPACE_ALIGNMENT);
        this.gemm = gemm;
        this.workspace = workspace;
        a = new CuBlas.Factor(gemm.a().memory(), gemm.a().stride(), shape.transposeA());
        b = new CuBlas.Factor(gemm.b().memory(), gemm.b().stride(), shape.transposeB());
        c = new CuBlas.Result(gemm.c().memory(), gemm.c().stride(), gemm.epilogue() instanceof Epilogue.StoreF32);
    }

    private static boolean isKnown(Matrix c, Epilogue epilogue) {
        return switch (epilogue) {
            case Epilogue.StoreBf16 _, Epilogue.StoreF32 _ ->
                epilogue.bias() == null
                        && (epilogue.extra() == null || epilogue.extra().equals(c));
            case Epilogue.Gelu _, Epilogue.GeluGradient _ -> false;
        };
    }

    @Override
    public void launch(GpuStream stream) {
        Shape shape = gemm.shape();
        int beta = gemm.epilogue().extra() == null ? 0 : 1;
        CuBlas.multiply(stream, shape.m(), shape.n(), shape.k(), gemm.alpha(), a, b, beta, c, workspace);
    }
}
