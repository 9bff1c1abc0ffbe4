package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.FLOAT;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.MEMORY;
import static org.quern.kernels.cpu.Native.ORDER;
import static org.quern.kernels.cpu.Native.SPECIES;

import jdk.incubator.vector.FloatVector;

/// Small matrix products in the first-level cache: the inner loops of attention.
///
/// c[r, :] += the sum over k < depth of a[r, k] * b[k, :], where rows of b and c are [#WIDTH] floats. Element
/// (r, k) of a lies at a + r * aRow + k * aStep, row k of b at b + k * bRow, row r of c at c + r * cRow; all
/// strides are in bytes. Each sum runs over k in order, so that the result does not depend on how rows are
/// grouped.
///
/// Six rows of two vectors are twelve sums, which with the two vectors of b and one of a fill the registers
/// of AVX2; AVX-512 gains nothing from more. As in [RegisterTile], loops call nothing but the vector API.
final class TileProduct {
    /// Floats in a row of b and c.
    static final int WIDTH = 2 * LANES;

    private TileProduct() {}

    static void add(int rows, int depth, long a, long aRow, long aStep, long b, long bRow, long c, long cRow) {
        int row = 0;
        // Four rows at a time are nearly as fast as six, single rows are not: 8 = 4 + 4.
        int sixes = rows % 6 == 2 || rows % 6 == 3 ? rows / 6 - 1 : rows / 6;
        for (; row < 6 * sixes; row += 6, a += 6 * aRow, c += 6 * cRow) {
            six(depth, a, aRow, aStep, b, bRow, c, cRow);
        }
        for (; row <= rows - 4; row += 4, a += 4 * aRow, c += 4 * cRow) {
            four(depth, a, aRow, aStep, b, bRow, c, cRow);
        }
        for (; row < rows; row++, a += aRow, c += cRow) {
            one(depth, a, aStep, b, bRow, c);
        }
    }

    private static void six(int depth, long a, long aRow, long aStep, long b, long bRow, long c, long cRow) {
        FloatVector l0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c, ORDER);
        FloatVector r0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + BYTES, ORDER);
        FloatVector l1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + cRow, ORDER);
        FloatVector r1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + cRow + BYTES, ORDER);
        FloatVector l2 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 2 * cRow, ORDER);
        FloatVector r2 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 2 * cRow + BYTES, ORDER);
        FloatVector l3 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 3 * cRow, ORDER);
        FloatVector r3 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 3 * cRow + BYTES, ORDER);
        FloatVector l4 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 4 * cRow, ORDER);
        FloatVector r4 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 4 * cRow + BYTES, ORDER);
        FloatVector l5 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 5 * cRow, ORDER);
        FloatVector r5 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 5 * cRow + BYTES, ORDER);
        for (int k = 0; k < depth; k++, a += aStep, b += bRow) {
            FloatVector left = FloatVector.fromMemorySegment(SPECIES, MEMORY, b, ORDER);
            FloatVector right = FloatVector.fromMemorySegment(SPECIES, MEMORY, b + BYTES, ORDER);
            FloatVector value = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a));
            l0 = value.fma(left, l0);
            r0 = value.fma(right, r0);
            value = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a + aRow));
            l1 = value.fma(left, l1);
            r1 = value.fma(right, r1);
            value = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a + 2 * aRow));
            l2 = value.fma(left, l2);
            r2 = value.fma(right, r2);
            value = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a + 3 * aRow));
            l3 = value.fma(left, l3);
            r3 = value.fma(right, r3);
            value = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a + 4 * aRow));
            l4 = value.fma(left, l4);
            r4 = value.fma(right, r4);
            value = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a + 5 * aRow));
            l5 = value.fma(left, l5);
            r5 = value.fma(right, r5);
        }
        l0.intoMemorySegment(MEMORY, c, ORDER);
        r0.intoMemorySegment(MEMORY, c + BYTES, ORDER);
        l1.intoMemorySegment(MEMORY, c + cRow, ORDER);
        r1.intoMemorySegment(MEMORY, c + cRow + BYTES, ORDER);
        l2.intoMemorySegment(MEMORY, c + 2 * cRow, ORDER);
        r2.intoMemorySegment(MEMORY, c + 2 * cRow + BYTES, ORDER);
        l3.intoMemorySegment(MEMORY, c + 3 * cRow, ORDER);
        r3.intoMemorySegment(MEMORY, c + 3 * cRow + BYTES, ORDER);
        l4.intoMemorySegment(MEMORY, c + 4 * cRow, ORDER);
        r4.intoMemorySegment(MEMORY, c + 4 * cRow + BYTES, ORDER);
        l5.intoMemorySegment(MEMORY, c + 5 * cRow, ORDER);
        r5.intoMemorySegment(MEMORY, c + 5 * cRow + BYTES, ORDER);
    }

    private static void four(int depth, long a, long aRow, long aStep, long b, long bRow, long c, long cRow) {
        FloatVector l0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c, ORDER);
        FloatVector r0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + BYTES, ORDER);
        FloatVector l1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + cRow, ORDER);
        FloatVector r1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + cRow + BYTES, ORDER);
        FloatVector l2 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 2 * cRow, ORDER);
        FloatVector r2 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 2 * cRow + BYTES, ORDER);
        FloatVector l3 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 3 * cRow, ORDER);
        FloatVector r3 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + 3 * cRow + BYTES, ORDER);
        for (int k = 0; k < depth; k++, a += aStep, b += bRow) {
            FloatVector left = FloatVector.fromMemorySegment(SPECIES, MEMORY, b, ORDER);
            FloatVector right = FloatVector.fromMemorySegment(SPECIES, MEMORY, b + BYTES, ORDER);
            FloatVector value = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a));
            l0 = value.fma(left, l0);
            r0 = value.fma(right, r0);
            value = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a + aRow));
            l1 = value.fma(left, l1);
            r1 = value.fma(right, r1);
            value = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a + 2 * aRow));
            l2 = value.fma(left, l2);
            r2 = value.fma(right, r2);
            value = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a + 3 * aRow));
            l3 = value.fma(left, l3);
            r3 = value.fma(right, r3);
        }
        l0.intoMemorySegment(MEMORY, c, ORDER);
        r0.intoMemorySegment(MEMORY, c + BYTES, ORDER);
        l1.intoMemorySegment(MEMORY, c + cRow, ORDER);
        r1.intoMemorySegment(MEMORY, c + cRow + BYTES, ORDER);
        l2.intoMemorySegment(MEMORY, c + 2 * cRow, ORDER);
        r2.intoMemorySegment(MEMORY, c + 2 * cRow + BYTES, ORDER);
        l3.intoMemorySegment(MEMORY, c + 3 * cRow, ORDER);
        r3.intoMemorySegment(MEMORY, c + 3 * cRow + BYTES, ORDER);
    }

    private static void one(int depth, long a, long aStep, long b, long bRow, long c) {
        FloatVector l0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c, ORDER);
        FloatVector r0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, c + BYTES, ORDER);
        for (int k = 0; k < depth; k++, a += aStep, b += bRow) {
            FloatVector left = FloatVector.fromMemorySegment(SPECIES, MEMORY, b, ORDER);
            FloatVector right = FloatVector.fromMemorySegment(SPECIES, MEMORY, b + BYTES, ORDER);
            FloatVector value = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, a));
            l0 = value.fma(left, l0);
            r0 = value.fma(right, r0);
        }
        l0.intoMemorySegment(MEMORY, c, ORDER);
        r0.intoMemorySegment(MEMORY, c + BYTES, ORDER);
    }
}
