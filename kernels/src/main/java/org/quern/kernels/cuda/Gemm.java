package org.quern.kernels.cuda;

import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;

/// C = epilogue(alpha op(A) op(B)) of matrices in memory, by whatever kernel.
///
/// @param a bf16 [m, k], or [k, m] if it is transposed
/// @param b bf16 [k, n], or [n, k] if it is transposed
/// @param c [m, n], of the epilogue's type
public record Gemm(Shape shape, Matrix a, Matrix b, Matrix c, float alpha, Epilogue epilogue) {
    private static final int WORKSPACE_ALIGNMENT = 16;
    private static final Matrix NONE = new Matrix(DeviceMemory.NONE, 0);

    /// With an alpha of 1.
    public Gemm(Shape shape, Matrix a, Matrix b, Matrix c, Epilogue epilogue) {
        this(shape, a, b, c, 1, epilogue);
    }

    /// The sums of the parts of a split product, fp32 in workspace.
    Gemm parts(DeviceMemory workspace) {
        return new Gemm(shape, a, b, new Matrix(workspace, shape.n()), new Epilogue.StoreF32(null));
    }

    /// The epilogue's, or none.
    DeviceMemory bias() {
        return epilogue.bias() == null ? DeviceMemory.NONE : epilogue.bias();
    }

    /// What is read or written beside C, or nothing.
    Matrix extra() {
        return epilogue.extra() == null ? NONE : epilogue.extra();
    }

    /// Of C and of what is beside it.
    int elementBytes() {
        return epilogue instanceof Epilogue.StoreF32 ? Float.BYTES : Short.BYTES;
    }

    /// @param factorBytes of an element of A and B
    /// @throws GpuException if a size is below 1, or a buffer is too small, not aligned to its elements, or
    ///     written while it is read
    void check(int factorBytes) {
        int m = shape.m();
        int n = shape.n();
        int k = shape.k();
        if (m < 1 || n < 1 || k < 1) {
            throw new GpuException("%s: m, n and k must be at least 1".formatted(shape));
        }
        Area areaA = shape.transposeA()
                ? new Area(shape, "A", a, k, m, factorBytes)
                : new Area(shape, "A", a, m, k, factorBytes);
        Area areaB = shape.transposeB()
                ? new Area(shape, "B", b, n, k, factorBytes)
                : new Area(shape, "B", b, k, n, factorBytes);
        Area areaC = new Area(shape, "C", c, m, n, elementBytes());
        areaA.check();
        areaB.check();
        areaC.check();
        areaC.checkApart(areaA);
        areaC.checkApart(areaB);
        if (epilogue.bias() != null) {
            checkBuffer("the bias", epilogue.bias(), (long) n * Short.BYTES, Short.BYTES);
        }
        if (epilogue.extra() != null) {
            Area extra = new Area(shape, epilogue.extraName(), epilogue.extra(), m, n, elementBytes());
            extra.check();
            if (epilogue instanceof Epilogue.Gelu) {
                extra.checkApart(areaA);
                extra.checkApart(areaB);
                extra.checkApart(areaC);
            }
        }
    }

    /// What a matrix takes of memory.
    private record Area(Shape shape, String name, Matrix matrix, int rows, int columns, int elementBytes) {
        void check() {
            if (matrix.stride() < columns) {
                throw new GpuException("%s: the stride of %s must be at least its %d columns: got %d"
                        .formatted(shape, name, columns, matrix.stride()));
            }
            if (elements() > Long.MAX_VALUE / elementBytes) {
                throw new GpuException("%s: %s would need more than %,d bytes".formatted(shape, name, Long.MAX_VALUE));
            }
            Gemm.checkBuffer(shape, name, matrix.memory(), elements() * elementBytes, elementBytes);
        }

        private long start() {
            return matrix.memory().address();
        }

        private long end() {
            return start() + elements() * elementBytes;
        }

        private long elements() {
            return (rows - 1L) * matrix.stride() + columns;
        }

        /// What a kernel writes it must not read elsewhere, nor write twice.
        void checkApart(Area other) {
            boolean behindEachOther = end() <= other.start() || other.end() <= start();
            if (!behindEachOther && !isBeside(other)) {
                throw new GpuException("%s: %s must not overlap %s".formatted(shape, name, other.name));
            }
        }

        /// Whether both are slices of the same rows without a common column.
        private boolean isBeside(Area other) {
            long row = (long) matrix.stride() * elementBytes;
            long offset = Math.floorMod(start() - other.start(), row);
            return row == (long) other.matrix.stride() * other.elementBytes
                    && offset >= (long) other.columns * other.elementBytes
                    && offset + (long) columns * elementBytes <= row;
        }
    }

    /// @throws GpuException if the workspace of a product that is split cannot be this one
    void checkWorkspace(DeviceMemory workspace, long bytes) {
        if ((long) shape.m() * shape.n() > Integer.MAX_VALUE) {
            throw new GpuException("%s: a split product has at most %,d elements: got %,d"
                    .formatted(shape, Integer.MAX_VALUE, (long) shape.m() * shape.n()));
        }
        checkBuffer("the workspace", workspace, bytes, WORKSPACE_ALIGNMENT);
    }

    /// @throws GpuException if it is null, too small or not aligned
    void checkBuffer(String name, DeviceMemory memory, long bytes, int alignment) {
        checkBuffer(shape, name, memory, bytes, alignment);
    }

    private static void checkBuffer(Shape shape, String name, DeviceMemory memory, long bytes, int alignment) {
        if (memory == null) {
            throw new GpuException("%s: %s needs %,d bytes: got none".formatted(shape, name, bytes));
        }
        if (memory.bytes() < bytes) {
            throw new GpuException("%s: %s needs %,d bytes: got %,d".formatted(shape, name, bytes, memory.bytes()));
        }
        if (memory.address() % alignment != 0) {
            throw new GpuException("%s: %s must be aligned to %d bytes: got address 0x%x"
                    .formatted(shape, name, alignment, memory.address()));
        }
    }
}
