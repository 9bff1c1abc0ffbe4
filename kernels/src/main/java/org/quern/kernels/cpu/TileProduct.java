package org.quern.kernels.cpu;

import jdk.incubator.vector.FloatVector;

/// Small matrix products over panels of two vectors' width: the inner loops of attention.
///
/// c[r, :] (+)= the sum over k < depth of a[r, k] * b[k, :], where rows of b and c are [#WIDTH] floats. Element (r, k)
/// of
/// a lies at a + r * aRow + k * aStep, row k of b at b + k * bRow, row r of c at c + r * cRow; all strides are in
/// bytes. Each sum runs over k in order, so the result does not depend on how rows are grouped.
///
/// Six rows of two vectors are twelve accumulators, which with the two vectors of b and one of a fill the sixteen
/// registers of AVX2; AVX-512 gains nothing from more.
final class TileProduct {
    /// Floats in a row of b and c.
    static final int WIDTH = 2 * Lanes.COUNT;
    /// Bytes of a row of b and c.
    static final long ROW_BYTES = 2 * Lanes.BYTES;

    private TileProduct() {}

    static void multiply(
            int rows,
            int depth,
            long a,
            long aRow,
            long aStep,
            long b,
            long bRow,
            long c,
            long cRow,
            boolean accumulate) {
        int row = 0;
        // Four rows at a time are nearly as fast as six, single rows are not: 8 = 4 + 4.
        int sixes = rows % 6 == 2 || rows % 6 == 3 ? rows / 6 - 1 : rows / 6;
        for (; row < 6 * sixes; row += 6, a += 6 * aRow, c += 6 * cRow) {
            six(depth, a, aRow, aStep, b, bRow, c, cRow, accumulate);
        }
        for (; row <= rows - 4; row += 4, a += 4 * aRow, c += 4 * cRow) {
            four(depth, a, aRow, aStep, b, bRow, c, cRow, accumulate);
        }
        for (; row < rows; row++, a += aRow, c += cRow) {
            one(depth, a, aStep, b, bRow, c, accumulate);
        }
    }

    private static FloatVector start(long c, boolean accumulate) {
        return accumulate ? Lanes.load(c) : FloatVector.zero(Lanes.SPECIES);
    }

    private static FloatVector all(long a) {
        return Lanes.broadcast(Lanes.get(a));
    }

    private static void six(
            int depth, long a, long aRow, long aStep, long b, long bRow, long c, long cRow, boolean accumulate) {
        long right = c + Lanes.BYTES;
        FloatVector c00 = start(c, accumulate);
        FloatVector c01 = start(right, accumulate);
        FloatVector c10 = start(c + cRow, accumulate);
        FloatVector c11 = start(right + cRow, accumulate);
        FloatVector c20 = start(c + 2 * cRow, accumulate);
        FloatVector c21 = start(right + 2 * cRow, accumulate);
        FloatVector c30 = start(c + 3 * cRow, accumulate);
        FloatVector c31 = start(right + 3 * cRow, accumulate);
        FloatVector c40 = start(c + 4 * cRow, accumulate);
        FloatVector c41 = start(right + 4 * cRow, accumulate);
        FloatVector c50 = start(c + 5 * cRow, accumulate);
        FloatVector c51 = start(right + 5 * cRow, accumulate);
        for (int k = 0; k < depth; k++) {
            long at = b + k * bRow;
            FloatVector b0 = Lanes.load(at);
            FloatVector b1 = Lanes.load(at + Lanes.BYTES);
            long from = a + k * aStep;
            FloatVector value = all(from);
            c00 = value.fma(b0, c00);
            c01 = value.fma(b1, c01);
            value = all(from + aRow);
            c10 = value.fma(b0, c10);
            c11 = value.fma(b1, c11);
            value = all(from + 2 * aRow);
            c20 = value.fma(b0, c20);
            c21 = value.fma(b1, c21);
            value = all(from + 3 * aRow);
            c30 = value.fma(b0, c30);
            c31 = value.fma(b1, c31);
            value = all(from + 4 * aRow);
            c40 = value.fma(b0, c40);
            c41 = value.fma(b1, c41);
            value = all(from + 5 * aRow);
            c50 = value.fma(b0, c50);
            c51 = value.fma(b1, c51);
        }
        Lanes.store(c00, c);
        Lanes.store(c01, right);
        Lanes.store(c10, c + cRow);
        Lanes.store(c11, right + cRow);
        Lanes.store(c20, c + 2 * cRow);
        Lanes.store(c21, right + 2 * cRow);
        Lanes.store(c30, c + 3 * cRow);
        Lanes.store(c31, right + 3 * cRow);
        Lanes.store(c40, c + 4 * cRow);
        Lanes.store(c41, right + 4 * cRow);
        Lanes.store(c50, c + 5 * cRow);
        Lanes.store(c51, right + 5 * cRow);
    }

    private static void four(
            int depth, long a, long aRow, long aStep, long b, long bRow, long c, long cRow, boolean accumulate) {
        long right = c + Lanes.BYTES;
        FloatVector c00 = start(c, accumulate);
        FloatVector c01 = start(right, accumulate);
        FloatVector c10 = start(c + cRow, accumulate);
        FloatVector c11 = start(right + cRow, accumulate);
        FloatVector c20 = start(c + 2 * cRow, accumulate);
        FloatVector c21 = start(right + 2 * cRow, accumulate);
        FloatVector c30 = start(c + 3 * cRow, accumulate);
        FloatVector c31 = start(right + 3 * cRow, accumulate);
        for (int k = 0; k < depth; k++) {
            long at = b + k * bRow;
            FloatVector b0 = Lanes.load(at);
            FloatVector b1 = Lanes.load(at + Lanes.BYTES);
            long from = a + k * aStep;
            FloatVector value = all(from);
            c00 = value.fma(b0, c00);
            c01 = value.fma(b1, c01);
            value = all(from + aRow);
            c10 = value.fma(b0, c10);
            c11 = value.fma(b1, c11);
            value = all(from + 2 * aRow);
            c20 = value.fma(b0, c20);
            c21 = value.fma(b1, c21);
            value = all(from + 3 * aRow);
            c30 = value.fma(b0, c30);
            c31 = value.fma(b1, c31);
        }
        Lanes.store(c00, c);
        Lanes.store(c01, right);
        Lanes.store(c10, c + cRow);
        Lanes.store(c11, right + cRow);
        Lanes.store(c20, c + 2 * cRow);
        Lanes.store(c21, right + 2 * cRow);
        Lanes.store(c30, c + 3 * cRow);
        Lanes.store(c31, right + 3 * cRow);
    }

    private static void one(int depth, long a, long aStep, long b, long bRow, long c, boolean accumulate) {
        FloatVector c0 = start(c, accumulate);
        FloatVector c1 = start(c + Lanes.BYTES, accumulate);
        for (int k = 0; k < depth; k++) {
            long at = b + k * bRow;
            FloatVector value = all(a + k * aStep);
            c0 = value.fma(Lanes.load(at), c0);
            c1 = value.fma(Lanes.load(at + Lanes.BYTES), c1);
        }
        Lanes.store(c0, c);
        Lanes.store(c1, c + Lanes.BYTES);
    }
}
