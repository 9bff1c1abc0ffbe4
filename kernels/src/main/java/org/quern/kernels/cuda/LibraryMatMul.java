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
    private final Shape shape;
    private final CuBlas.Factor a;
    private final CuBlas.Factor b;
    private final CuBlas.Result c;
    private final float alpha;
    private final float beta;
    private final DeviceMemory workspace;

    /// @param workspace [CuBlas#WORKSPACE_BYTES], which others may use while this does not run
    /// @throws GpuException if cuBLAS is absent, with the reason, or has no such epilogue, or as [MatMul] does
    public LibraryMatMul(
            Shape shape, Matrix a, Matrix b, Matrix c, float alpha, Epilogue epilogue, DeviceMemory workspace) {
        CuBlas.absence().ifPresent(reason -> {
            throw new GpuException("%s by cuBLAS: %s".formatted(shape, reason));
        });
        boolean added = epilogue.extra() != null;
        if (!isKnown(c, epilogue)) {
            throw new GpuException("%s by cuBLAS: it has no epilogue but adding to C".formatted(shape));
        }
        MatMul.check(shape, a, b, c, epilogue);
        MatMul.checkBuffer(shape, "the workspace", workspace, CuBlas.WORKSPACE_BYTES, CuBlas.WORKSPACE_ALIGNMENT);
        this.shape = shape;
        this.a = new CuBlas.Factor(a.memory(), a.stride(), shape.transposeA());
        this.b = new CuBlas.Factor(b.memory(), b.stride(), shape.transposeB());
        this.c = new CuBlas.Result(c.memory(), c.stride(), epilogue instanceof Epilogue.StoreF32);
        this.alpha = alpha;
        beta = added ? 1 : 0;
        this.workspace = workspace;
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
        CuBlas.multiply(stream, shape.m(), shape.n(), shape.k(), alpha, a, b, beta, c, workspace);
    }
}
