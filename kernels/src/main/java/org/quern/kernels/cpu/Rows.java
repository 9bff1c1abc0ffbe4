package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.MEMORY;
import static org.quern.kernels.cpu.Native.ORDER;
import static org.quern.kernels.cpu.Native.SPECIES;
import static org.quern.kernels.cpu.Native.get;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/// Simple operations on rows of floats in memory. Sums have a fixed order.
///
/// They call the vector API alone, and hand over vectors only where it is taken for sure: C2 leaves out of
/// line what it finds in a branch that is seldom taken, except the JDK's own, and then vectors are made on
/// the heap. Rows of other lengths decide what is seldom.
final class Rows {
    private static final VectorShuffle<Float> ROTATE_8 = VectorShuffle.iota(SPECIES, 8, 1, true);
    private static final VectorShuffle<Float> ROTATE_4 = VectorShuffle.iota(SPECIES, 4, 1, true);
    private static final VectorShuffle<Float> ROTATE_2 = VectorShuffle.iota(SPECIES, 2, 1, true);
    private static final VectorShuffle<Float> ROTATE_1 = VectorShuffle.iota(SPECIES, 1, 1, true);

    private Rows() {}

    /// The sum of the lanes, halves onto halves: `reduceLanes(ADD)` may change its order once the code is
    /// compiled.
    static float sum(FloatVector vector) {
        if (LANES > 8) {
            vector = vector.add(vector.rearrange(ROTATE_8));
        }
        if (LANES > 4) {
            vector = vector.add(vector.rearrange(ROTATE_4));
        }
        if (LANES > 2) {
            vector = vector.add(vector.rearrange(ROTATE_2));
        }
        return vector.add(vector.rearrange(ROTATE_1)).lane(0);
    }

    /// The larger, lane by lane; the first where one is not a number.
    static FloatVector max(FloatVector a, FloatVector b) {
        return a.blend(b, b.compare(VectorOperators.GT, a));
    }

    /// The sum of a row.
    static float sum(long x, int count) {
        FloatVector sum = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i <= count - LANES; i += LANES, x += BYTES) {
            sum = sum.add(FloatVector.fromMemorySegment(SPECIES, MEMORY, x, ORDER));
        }
        float rest = 0;
        for (; i < count; i++, x += Float.BYTES) {
            rest += get(x);
        }
        return sum(sum) + rest;
    }

    /// The inner product of two rows.
    static float dot(long a, long b, int count) {
        FloatVector sum0 = FloatVector.zero(SPECIES);
        FloatVector sum1 = sum0;
        int i = 0;
        long at = 0;
        for (; i <= count - 2 * LANES; i += 2 * LANES, at += 2 * BYTES) {
            sum0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, a + at, ORDER)
                    .fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, b + at, ORDER), sum0);
            sum1 = FloatVector.fromMemorySegment(SPECIES, MEMORY, a + at + BYTES, ORDER)
                    .fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, b + at + BYTES, ORDER), sum1);
        }
        if (i <= count - LANES) {
            sum0 = FloatVector.fromMemorySegment(SPECIES, MEMORY, a + at, ORDER)
                    .fma(FloatVector.fromMemorySegment(SPECIES, MEMORY, b + at, ORDER), sum0);
            i += LANES;
            at += BYTES;
        }
        float rest = 0;
        for (; i < count; i++, at += Float.BYTES) {
            rest += get(a + at) * get(b + at);
        }
        return sum(sum0.add(sum1)) + rest;
    }

    /// to = from.
    static void copy(long from, long to, int count) {
        int i = 0;
        long at = 0;
        for (; i <= count - LANES; i += LANES, at += BYTES) {
            FloatVector.fromMemorySegment(SPECIES, MEMORY, from + at, ORDER).intoMemorySegment(MEMORY, to + at, ORDER);
        }
        for (; i < count; i++, at += Float.BYTES) {
            Native.put(to + at, get(from + at));
        }
    }

    /// to = value.
    static void fill(long to, float value, int count) {
        FloatVector values = FloatVector.broadcast(SPECIES, value);
        int i = 0;
        long at = 0;
        for (; i <= count - LANES; i += LANES, at += BYTES) {
            values.intoMemorySegment(MEMORY, to + at, ORDER);
        }
        for (; i < count; i++, at += Float.BYTES) {
            Native.put(to + at, value);
        }
    }

    /// to = from * factor.
    static void scale(long from, float factor, long to, int count) {
        int i = 0;
        long at = 0;
        for (; i <= count - LANES; i += LANES, at += BYTES) {
            FloatVector.fromMemorySegment(SPECIES, MEMORY, from + at, ORDER)
                    .mul(factor)
                    .intoMemorySegment(MEMORY, to + at, ORDER);
        }
        for (; i < count; i++, at += Float.BYTES) {
            Native.put(to + at, get(from + at) * factor);
        }
    }

    /// to = a + b.
    static void add(long a, long b, long to, int count) {
        int i = 0;
        long at = 0;
        for (; i <= count - LANES; i += LANES, at += BYTES) {
            FloatVector.fromMemorySegment(SPECIES, MEMORY, a + at, ORDER)
                    .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, b + at, ORDER))
                    .intoMemorySegment(MEMORY, to + at, ORDER);
        }
        for (; i < count; i++, at += Float.BYTES) {
            Native.put(to + at, get(a + at) + get(b + at));
        }
    }

    /// Sets a vector, or adds to it.
    static void put(long address, FloatVector vector, boolean accumulate) {
        if (accumulate) {
            FloatVector.fromMemorySegment(SPECIES, MEMORY, address, ORDER)
                    .add(vector)
                    .intoMemorySegment(MEMORY, address, ORDER);
        } else {
            vector.intoMemorySegment(MEMORY, address, ORDER);
        }
    }

    /// Sets a float, or adds to it.
    static void put(long address, float value, boolean accumulate) {
        Native.put(address, accumulate ? get(address) + value : value);
    }
}
