package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.FLOAT;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.MEMORY;
import static org.quern.kernels.cpu.Native.ORDER;
import static org.quern.kernels.cpu.Native.SPECIES;

import jdk.incubator.vector.FloatVector;

/// The innermost part of the matrix product: a tile of C whose sums stay in registers while K goes by.
///
/// The tile is two vectors wide and 12 rows high where there are 32 vector registers (AVX-512, NEON), else 6 rows
/// high. Step by step over K it loads two vectors of B and multiplies them by one number of A a row. The 6-row tile
/// also ends a matrix whose height is no multiple of 12.
///
/// Both operands are packed: of A, the `rows` numbers of a step lie side by side, of B the `COLUMNS` numbers.
///
/// The methods are written out because C2 keeps vectors in registers only if they are local variables, and call
/// nothing but the vector API because C2 stops inlining in a method of this size, except where the JDK forces it. They
/// end with plain stores because C1 gives up on more code than that, and then the method may never reach C2.
final class RegisterTile {
    static final int ROWS = LANES == 16 || System.getProperty("os.arch").equals("aarch64") ? 12 : 6;
    static final int SHORT_ROWS = 6;
    static final int COLUMNS = 2 * LANES;

    private static final long HALF = LANES * 4L;
    private static final long WIDTH = COLUMNS * 4L;

    private RegisterTile() {}

    /// Writes A B, row after row, to `sums`.
    ///
    /// @param rows the height of the tile, `ROWS` or `SHORT_ROWS`
    /// @param a address of the packed rows of A
    /// @param b address of the packed columns of B
    /// @param depth the number of steps over K
    /// @param sums address of `ROWS` * `COLUMNS` floats, aligned like a vector
    static void multiply(int rows, long a, long b, int depth, long sums) {
        if (rows == 12) {
            multiply12(a, b, depth, sums);
        } else {
            multiply6(a, b, depth, sums);
        }
    }

    private static void multiply12(long a, long b, int depth, long sums) {
        FloatVector l0 = FloatVector.zero(SPECIES);
        FloatVector r0 = FloatVector.zero(SPECIES);
        FloatVector l1 = FloatVector.zero(SPECIES);
        FloatVector r1 = FloatVector.zero(SPECIES);
        FloatVector l2 = FloatVector.zero(SPECIES);
        FloatVector r2 = FloatVector.zero(SPECIES);
        FloatVector l3 = FloatVector.zero(SPECIES);
        FloatVector r3 = FloatVector.zero(SPECIES);
        FloatVector l4 = FloatVector.zero(SPECIES);
        FloatVector r4 = FloatVector.zero(SPECIES);
        FloatVector l5 = FloatVector.zero(SPECIES);
        FloatVector r5 = FloatVector.zero(SPECIES);
        FloatVector l6 = FloatVector.zero(SPECIES);
        FloatVector r6 = FloatVector.zero(SPECIES);
        FloatVector l7 = FloatVector.zero(SPECIES);
        FloatVector r7 = FloatVector.zero(SPECIES);
        FloatVector l8 = FloatVector.zero(SPECIES);
        FloatVector r8 = FloatVector.zero(SPECIES);
        FloatVector l9 = FloatVector.zero(SPECIES);
        FloatVector r9 = FloatVector.zero(SPECIES);
        FloatVector l10 = FloatVector.zero(SPECIES);
        FloatVector r10 = FloatVector.zero(SPECIES);
        FloatVector l11 = FloatVector.zero(SPECIES);
        FloatVector r11 = FloatVector.zero(SPECIES);
        for (int p = 0; p < depth; p++) {
            long ap = a + p * 48L;
            long bp = b + p * WIDTH;
            FloatVector l = FloatVector.fromMemorySegment(SPECIES, MEMORY, bp, ORDER);
            FloatVector r = FloatVector.fromMemorySegment(SPECIES, MEMORY, bp + HALF, ORDER);
            FloatVector a0 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap));
            l0 = a0.fma(l, l0);
            r0 = a0.fma(r, r0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 4));
            l1 = a1.fma(l, l1);
            r1 = a1.fma(r, r1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 8));
            l2 = a2.fma(l, l2);
            r2 = a2.fma(r, r2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 12));
            l3 = a3.fma(l, l3);
            r3 = a3.fma(r, r3);
            FloatVector a4 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 16));
            l4 = a4.fma(l, l4);
            r4 = a4.fma(r, r4);
            FloatVector a5 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 20));
            l5 = a5.fma(l, l5);
            r5 = a5.fma(r, r5);
            FloatVector a6 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 24));
            l6 = a6.fma(l, l6);
            r6 = a6.fma(r, r6);
            FloatVector a7 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 28));
            l7 = a7.fma(l, l7);
            r7 = a7.fma(r, r7);
            FloatVector a8 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 32));
            l8 = a8.fma(l, l8);
            r8 = a8.fma(r, r8);
            FloatVector a9 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 36));
            l9 = a9.fma(l, l9);
            r9 = a9.fma(r, r9);
            FloatVector a10 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 40));
            l10 = a10.fma(l, l10);
            r10 = a10.fma(r, r10);
            FloatVector a11 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 44));
            l11 = a11.fma(l, l11);
            r11 = a11.fma(r, r11);
        }
        l0.intoMemorySegment(MEMORY, sums, ORDER);
        r0.intoMemorySegment(MEMORY, sums + HALF, ORDER);
        l1.intoMemorySegment(MEMORY, sums + WIDTH, ORDER);
        r1.intoMemorySegment(MEMORY, sums + WIDTH + HALF, ORDER);
        l2.intoMemorySegment(MEMORY, sums + 2 * WIDTH, ORDER);
        r2.intoMemorySegment(MEMORY, sums + 2 * WIDTH + HALF, ORDER);
        l3.intoMemorySegment(MEMORY, sums + 3 * WIDTH, ORDER);
        r3.intoMemorySegment(MEMORY, sums + 3 * WIDTH + HALF, ORDER);
        l4.intoMemorySegment(MEMORY, sums + 4 * WIDTH, ORDER);
        r4.intoMemorySegment(MEMORY, sums + 4 * WIDTH + HALF, ORDER);
        l5.intoMemorySegment(MEMORY, sums + 5 * WIDTH, ORDER);
        r5.intoMemorySegment(MEMORY, sums + 5 * WIDTH + HALF, ORDER);
        l6.intoMemorySegment(MEMORY, sums + 6 * WIDTH, ORDER);
        r6.intoMemorySegment(MEMORY, sums + 6 * WIDTH + HALF, ORDER);
        l7.intoMemorySegment(MEMORY, sums + 7 * WIDTH, ORDER);
        r7.intoMemorySegment(MEMORY, sums + 7 * WIDTH + HALF, ORDER);
        l8.intoMemorySegment(MEMORY, sums + 8 * WIDTH, ORDER);
        r8.intoMemorySegment(MEMORY, sums + 8 * WIDTH + HALF, ORDER);
        l9.intoMemorySegment(MEMORY, sums + 9 * WIDTH, ORDER);
        r9.intoMemorySegment(MEMORY, sums + 9 * WIDTH + HALF, ORDER);
        l10.intoMemorySegment(MEMORY, sums + 10 * WIDTH, ORDER);
        r10.intoMemorySegment(MEMORY, sums + 10 * WIDTH + HALF, ORDER);
        l11.intoMemorySegment(MEMORY, sums + 11 * WIDTH, ORDER);
        r11.intoMemorySegment(MEMORY, sums + 11 * WIDTH + HALF, ORDER);
    }

    private static void multiply6(long a, long b, int depth, long sums) {
        FloatVector l0 = FloatVector.zero(SPECIES);
        FloatVector r0 = FloatVector.zero(SPECIES);
        FloatVector l1 = FloatVector.zero(SPECIES);
        FloatVector r1 = FloatVector.zero(SPECIES);
        FloatVector l2 = FloatVector.zero(SPECIES);
        FloatVector r2 = FloatVector.zero(SPECIES);
        FloatVector l3 = FloatVector.zero(SPECIES);
        FloatVector r3 = FloatVector.zero(SPECIES);
        FloatVector l4 = FloatVector.zero(SPECIES);
        FloatVector r4 = FloatVector.zero(SPECIES);
        FloatVector l5 = FloatVector.zero(SPECIES);
        FloatVector r5 = FloatVector.zero(SPECIES);
        for (int p = 0; p < depth; p++) {
            long ap = a + p * 24L;
            long bp = b + p * WIDTH;
            FloatVector l = FloatVector.fromMemorySegment(SPECIES, MEMORY, bp, ORDER);
            FloatVector r = FloatVector.fromMemorySegment(SPECIES, MEMORY, bp + HALF, ORDER);
            FloatVector a0 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap));
            l0 = a0.fma(l, l0);
            r0 = a0.fma(r, r0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 4));
            l1 = a1.fma(l, l1);
            r1 = a1.fma(r, r1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 8));
            l2 = a2.fma(l, l2);
            r2 = a2.fma(r, r2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 12));
            l3 = a3.fma(l, l3);
            r3 = a3.fma(r, r3);
            FloatVector a4 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 16));
            l4 = a4.fma(l, l4);
            r4 = a4.fma(r, r4);
            FloatVector a5 = FloatVector.broadcast(SPECIES, MEMORY.get(FLOAT, ap + 20));
            l5 = a5.fma(l, l5);
            r5 = a5.fma(r, r5);
        }
        l0.intoMemorySegment(MEMORY, sums, ORDER);
        r0.intoMemorySegment(MEMORY, sums + HALF, ORDER);
        l1.intoMemorySegment(MEMORY, sums + WIDTH, ORDER);
        r1.intoMemorySegment(MEMORY, sums + WIDTH + HALF, ORDER);
        l2.intoMemorySegment(MEMORY, sums + 2 * WIDTH, ORDER);
        r2.intoMemorySegment(MEMORY, sums + 2 * WIDTH + HALF, ORDER);
        l3.intoMemorySegment(MEMORY, sums + 3 * WIDTH, ORDER);
        r3.intoMemorySegment(MEMORY, sums + 3 * WIDTH + HALF, ORDER);
        l4.intoMemorySegment(MEMORY, sums + 4 * WIDTH, ORDER);
        r4.intoMemorySegment(MEMORY, sums + 4 * WIDTH + HALF, ORDER);
        l5.intoMemorySegment(MEMORY, sums + 5 * WIDTH, ORDER);
        r5.intoMemorySegment(MEMORY, sums + 5 * WIDTH + HALF, ORDER);
    }
}
