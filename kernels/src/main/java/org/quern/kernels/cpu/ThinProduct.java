package org.quern.kernels.cpu;

import static java.lang.Math.ceilDiv;
import static org.quern.kernels.cpu.Native.FLOAT;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.MEMORY;
import static org.quern.kernels.cpu.Native.ORDER;
import static org.quern.kernels.cpu.Native.SPECIES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.put;

import jdk.incubator.vector.FloatVector;

/// A product whose A has few rows, as when a model generates a token at a time: B is read once, where it lies, and
/// the speed is that of memory.
///
/// If B is not transposed, the order of each sum is that of `PackedProduct`. If it is, a sum is a dot product of
/// rows, whose order depends on the width of the vectors.
final class ThinProduct implements Kernel {
    private static final int MAX_ROWS = 8;

    /// The dot products that are computed at once.
    private static final int DOTS = 8;

    /// The columns of C that are computed at once if B is not transposed: eight vectors.
    private static final int WIDTH = 8 * LANES;

    /// The columns of C that a task computes if B is transposed.
    private static final int TASK_COLUMNS = 8 * DOTS;

    private static final long VECTOR = LANES * 4L;

    /// Eight vectors, and what eight dot products add up to.
    private static final long SCRATCH_BYTES = DOTS * (VECTOR + Float.BYTES);

    private final Product product;
    private final long scratch;

    /// @param workspace address of `workspaceBytes` bytes
    ThinProduct(Product product, long workspace) {
        this.product = product;
        scratch = workspace;
    }

    static boolean fits(Product product) {
        return product.m() <= MAX_ROWS
                && (product.transposeB()
                        ? product.n() >= DOTS && (product.m() == 1 || !product.transposeA())
                        : product.n() >= WIDTH);
    }

    static long workspaceBytes(int m, int n) {
        return m <= MAX_ROWS ? ceilDiv(n, Math.min(WIDTH, TASK_COLUMNS)) * SCRATCH_BYTES : 0;
    }

    @Override
    public int tasks(int phase) {
        return ceilDiv(product.n(), product.transposeB() ? TASK_COLUMNS : WIDTH);
    }

    @Override
    public void run(int phase, int task) {
        if (product.transposeB()) {
            dots(task * TASK_COLUMNS, scratch + task * SCRATCH_BYTES);
        } else {
            rows(task * WIDTH, scratch + task * SCRATCH_BYTES);
        }
    }

    // At the right edge, columns are computed that belong to the task before, and not used.

    private void rows(int column, long sums) {
        int start = Math.min(column, product.n() - WIDTH);
        int columns = Math.min(WIDTH, product.n() - column);
        long aStep = product.transposeA() ? product.m() * 4L : 4L;
        long aRow = product.transposeA() ? 4L : product.k() * 4L;
        for (int p = 0; p < product.k(); p += PackedProduct.DEPTH) {
            int steps = Math.min(PackedProduct.DEPTH, product.k() - p);
            long b = product.b() + ((long) p * product.n() + start) * 4L;
            for (int i = 0; i < product.m(); i++) {
                multiplyRows(product.a() + i * aRow + p * aStep, aStep, b, product.rowBytes(), steps, sums);
                product.add(sums + (column - start) * 4L, WIDTH, i, 1, column, columns, p == 0);
            }
        }
    }

    private void dots(int first, long sums) {
        int end = Math.min(first + TASK_COLUMNS, product.n());
        long bRow = product.k() * 4L;
        for (int column = first; column < end; column += DOTS) {
            int start = Math.min(column, product.n() - DOTS);
            long b = product.b() + start * bRow;
            for (int i = 0; i < product.m(); i++) {
                long a = product.a() + i * product.k() * 4L;
                multiplyColumns(a, b, bRow, product.k(), sums);
                for (int j = 0; j < DOTS; j++) {
                    put(sums + DOTS * VECTOR + j * 4L, addUp(sums + j * VECTOR) + dotOfRest(a, b + j * bRow));
                }
                long from = sums + DOTS * VECTOR + (column - start) * 4L;
                product.add(from, DOTS, i, 1, column, Math.min(DOTS, end - column), true);
            }
        }
    }

    private static float addUp(long vector) {
        float sum = 0;
        for (int lane = 0; lane < LANES; lane++) {
            sum += get(vector + lane * 4L);
        }
        return sum;
    }

    /// The dot product of what is left when whole vectors have been multiplied.
    private float dotOfRest(long a, long b) {
        float sum = 0;
        for (int p = product.k() / LANES * LANES; p < product.k(); p++) {
            sum = Math.fma(get(a + p * 4L), get(b + p * 4L), sum);
        }
        return sum;
    }

    /// Writes the sums of one row of A times `WIDTH` columns of B, which lie side by side.
    ///
    /// @param aStep bytes from one number of A to the next
    /// @param bStep bytes from one row of B to the next
    private static void multiplyRows(long a, long aStep, long b, long bStep, int depth, long sums) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = FloatVector.zero(SPECIES);
        FloatVector s2 = FloatVector.zero(SPECIES);
        FloatVector s3 = FloatVector.zero(SPECIES);
        FloatVector s4 = FloatVector.zero(SPECIES);
        FloatVector s5 = FloatVector.zero(SPECIES);
        FloatVector s6 = FloatVector.zero(SPECIES);
        FloatVector s7 = FloatVector.zero(SPECIES);
        for (int p = 0; p < depth; p++) {
            long at = b + p * bStep;
            FloatVector x = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a + p * aStep));
            s0 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER), s0);
            s1 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 1 * VECTOR, ORDER), s1);
            s2 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 2 * VECTOR, ORDER), s2);
            s3 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 3 * VECTOR, ORDER), s3);
            s4 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 4 * VECTOR, ORDER), s4);
            s5 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 5 * VECTOR, ORDER), s5);
            s6 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 6 * VECTOR, ORDER), s6);
            s7 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 7 * VECTOR, ORDER), s7);
        }
        s0.intoMemorySegment(MEMORY, sums, ORDER);
        s1.intoMemorySegment(MEMORY, sums + 1 * VECTOR, ORDER);
        s2.intoMemorySegment(MEMORY, sums + 2 * VECTOR, ORDER);
        s3.intoMemorySegment(MEMORY, sums + 3 * VECTOR, ORDER);
        s4.intoMemorySegment(MEMORY, sums + 4 * VECTOR, ORDER);
        s5.intoMemorySegment(MEMORY, sums + 5 * VECTOR, ORDER);
        s6.intoMemorySegment(MEMORY, sums + 6 * VECTOR, ORDER);
        s7.intoMemorySegment(MEMORY, sums + 7 * VECTOR, ORDER);
    }

    /// Writes, for each of `DOTS` rows of B, a vector whose numbers add up to its dot product with a row of A.
    ///
    /// @param bRow bytes from one row of B to the next
    private static void multiplyColumns(long a, long b, long bRow, int depth, long sums) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = FloatVector.zero(SPECIES);
        FloatVector s2 = FloatVector.zero(SPECIES);
        FloatVector s3 = FloatVector.zero(SPECIES);
        FloatVector s4 = FloatVector.zero(SPECIES);
        FloatVector s5 = FloatVector.zero(SPECIES);
        FloatVector s6 = FloatVector.zero(SPECIES);
        FloatVector s7 = FloatVector.zero(SPECIES);
        for (int p = 0; p <= depth - LANES; p += LANES) {
            long at = b + p * 4L;
            FloatVector x = FloatVector.fromMemorySegment(SPECIES, MEMORY, a + p * 4L, ORDER);
            s0 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at, ORDER), s0);
            s1 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + bRow, ORDER), s1);
            s2 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 2 * bRow, ORDER), s2);
            s3 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 3 * bRow, ORDER), s3);
            s4 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 4 * bRow, ORDER), s4);
            s5 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 5 * bRow, ORDER), s5);
            s6 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 6 * bRow, ORDER), s6);
            s7 = x.fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, at + 7 * bRow, ORDER), s7);
        }
        s0.intoMemorySegment(MEMORY, sums, ORDER);
        s1.intoMemorySegment(MEMORY, sums + 1 * VECTOR, ORDER);
        s2.intoMemorySegment(MEMORY, sums + 2 * VECTOR, ORDER);
        s3.intoMemorySegment(MEMORY, sums + 3 * VECTOR, ORDER);
        s4.intoMemorySegment(MEMORY, sums + 4 * VECTOR, ORDER);
        s5.intoMemorySegment(MEMORY, sums + 5 * VECTOR, ORDER);
        s6.intoMemorySegment(MEMORY, sums + 6 * VECTOR, ORDER);
        s7.intoMemorySegment(MEMORY, sums + 7 * VECTOR, ORDER);
    }
}
