package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.address;

import java.lang.foreign.MemorySegment;

/// C = op(A) op(B), or C += op(A) op(B), in fp32; op(A) is [m, k], op(B) is [k, n], C is [m, n].
///
/// Matrices are dense and row-major: A is stored as [m, k], or as [k, m] when it is transposed; B as [k, n] or [n, k].
public final class MatMul implements Kernel {
    // Kept so that a buffer lives as long as its kernel.
    private final MemorySegment[] buffers;

    private final Kernel method;

    /// @param workspace at least `workspaceBytes(m, n, k)` bytes, which any number of kernels may share as long
    ///     as they do not run at the same time
    public MatMul(
            MemorySegment a,
            MemorySegment b,
            MemorySegment c,
            int m,
            int n,
            int k,
            boolean transposeA,
            boolean transposeB,
            boolean accumulate,
            MemorySegment workspace) {
        this(a, b, c, null, m, n, k, transposeA, transposeB, accumulate, workspace);
    }

    /// @param bias a row of n numbers that is added to every row of the product, or null
    /// @param workspace at least `workspaceBytes(m, n, k)` bytes, which any number of kernels may share as long
    ///     as they do not run at the same time
    public MatMul(
            MemorySegment a,
            MemorySegment b,
            MemorySegment c,
            MemorySegment bias,
            int m,
            int n,
            int k,
            boolean transposeA,
            boolean transposeB,
            boolean accumulate,
            MemorySegment workspace) {
        if (m < 1 || n < 1 || k < 1) {
            throw new IllegalArgumentException("m, n and k must be at least 1: got %d, %d, %d".formatted(m, n, k));
        }
        if (accumulate && bias != null) {
            throw new IllegalArgumentException("a product that accumulates takes no bias");
        }
        if (c.asOverlappingSlice(a).isPresent() || c.asOverlappingSlice(b).isPresent()) {
            throw new IllegalArgumentException("c must not overlap a or b");
        }
        buffers = new MemorySegment[] {a, b, c, bias, workspace};
        Product product = new Product(
                address("a", a, (long) m * k),
                address("b", b, (long) k * n),
                address("c", c, (long) m * n),
                bias == null ? 0 : address("bias", bias, n),
                m,
                n,
                k,
                transposeA,
                transposeB,
                accumulate);
        long start = address("workspace", workspace, workspaceBytes(m, n, k) / Float.BYTES);
        method = ThinProduct.fits(product) ? new ThinProduct(product, start) : new PackedProduct(product, start);
    }

    /// The bytes of workspace that a product of this size needs: at most about 13 MB.
    public static long workspaceBytes(int m, int n, int k) {
        return Math.max(PackedProduct.workspaceBytes(m, n, k), ThinProduct.workspaceBytes(m, n));
    }

    @Override
    public int phases() {
        return method.phases();
    }

    @Override
    public int tasks(int phase) {
        return method.tasks(phase);
    }

    @Override
    public void run(int phase, int task) {
        method.run(phase, task);
    }
}
