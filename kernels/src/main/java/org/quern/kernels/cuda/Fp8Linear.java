package org.quern.kernels.cuda;

import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.WarpgroupMatMul.Plan;

/// [MatMul] of brain floats in floats of 8 bits: A and B are quantised to the workspace, by what each of them
/// holds now, and multiplied there.
public final class Fp8Linear implements GpuKernel {
    private final List<GpuKernel> parts;

    /// @param a without room between its rows, as b
    /// @param typeA what A becomes
    /// @param workspace at least [#workspaceBytes], aligned to 16 bytes
    public Fp8Linear(
            KernelLibrary library,
            Shape shape,
            Matrix a,
            Fp8Type typeA,
            Matrix b,
            Fp8Type typeB,
            Matrix c,
            Epilogue epilogue,
            DeviceMemory workspace) {
        int m = shape.m();
        int n = shape.n();
        int k = shape.k();
        checkDense(shape, "A", a, shape.transposeA() ? m : k);
        checkDense(shape, "B", b, shape.transposeB() ? k : n);
        MatMul.checkBuffer(
                shape, "the workspace", workspace, workspaceBytes(library.device(), shape), Fp8Matrix.ALIGNMENT);
        long endA = Fp8Matrix.bytes(m, k);
        long endB = endA + Fp8Matrix.bytes(n, k);
        long endScratch = endB + scratchBytes(library.device(), shape);
        Fp8Matrix quantizedA = Fp8Matrix.in(workspace.slice(0, endA), typeA, m, k);
        Fp8Matrix quantizedB = Fp8Matrix.in(workspace.slice(endA, endB - endA), typeB, n, k);
        DeviceMemory scratch = workspace.slice(endB, endScratch - endB);
        parts = List.of(
                quantize(library, a, m, k, shape.transposeA(), quantizedA, scratch),
                quantize(library, b, n, k, !shape.transposeB(), quantizedB, scratch),
                Fp8MatMul.of(
                        library,
                        plan(library.device(), shape),
                        m,
                        n,
                        k,
                        quantizedA,
                        quantizedB,
                        c,
                        1,
                        epilogue,
                        workspace.slice(endScratch, workspace.bytes() - endScratch)));
    }

    private static GpuKernel quantize(
            KernelLibrary library, Matrix x, int rows, int k, boolean transposed, Fp8Matrix out, DeviceMemory scratch) {
        return Quantize.of(library, x.memory(), transposed ? k : rows, transposed ? rows : k, transposed, out, scratch);
    }

    private static void checkDense(Shape shape, String name, Matrix matrix, int columns) {
        if (matrix.stride() != columns) {
            throw new GpuException("%s: in fp8, the stride of %s must be its %,d columns: got %,d"
                    .formatted(shape, name, columns, matrix.stride()));
        }
    }

    private static Plan plan(DeviceProperties device, Shape shape) {
        return Fp8MatMul.plan(device, shape.m(), shape.n(), shape.k());
    }

    /// What either quantisation needs.
    private static long scratchBytes(DeviceProperties device, Shape shape) {
        long elements = (long) Math.max(shape.m(), shape.n()) * shape.k();
        long bytes = Quantize.workspaceBytes(elements, device.multiprocessors());
        return Math.ceilDiv(bytes, Fp8Matrix.ALIGNMENT) * Fp8Matrix.ALIGNMENT;
    }

    public static long workspaceBytes(DeviceProperties device, Shape shape) {
        return Fp8Matrix.bytes(shape.m(), shape.k())
                + Fp8Matrix.bytes(shape.n(), shape.k())
                + scratchBytes(device, shape)
                + plan(device, shape).workspaceBytes(shape.m(), shape.n());
    }

    @Override
    public void launch(GpuStream stream) {
        parts.forEach(part -> part.launch(stream));
    }
}
