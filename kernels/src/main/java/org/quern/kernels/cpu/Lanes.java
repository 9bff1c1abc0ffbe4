package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// Vectors of floats over memory at absolute addresses, and sums over lanes in a fixed order.
///
/// All access goes through one segment that spans the address space. It is a constant, so that an access costs no
/// check of bounds or liveness: a quarter of the speed of a matrix product. In exchange every kernel checks the sizes
/// of its segments once, when it is constructed ([#floats], [#ints]), holds on to them, and asks for their addresses
/// anew in each task ([#address]), which fails if the memory was given back.
///
/// `FloatVector.reduceLanes(ADD)` may add in another order once the code is compiled, hence [#sum].
final class Lanes {
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    /// Floats in a vector.
    static final int COUNT = SPECIES.length();
    /// Bytes of a vector.
    static final long BYTES = SPECIES.vectorByteSize();

    private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final VectorShuffle<Float> ROTATE_8 = VectorShuffle.iota(SPECIES, 8, 1, true);
    private static final VectorShuffle<Float> ROTATE_4 = VectorShuffle.iota(SPECIES, 4, 1, true);
    private static final VectorShuffle<Float> ROTATE_2 = VectorShuffle.iota(SPECIES, 2, 1, true);
    private static final VectorShuffle<Float> ROTATE_1 = VectorShuffle.iota(SPECIES, 1, 1, true);

    private Lanes() {}

    /// The segment, if it is memory off the heap that holds `count` floats.
    static MemorySegment floats(MemorySegment segment, long count) {
        return check(segment, count * Float.BYTES);
    }

    /// The segment, if it is memory off the heap that holds `count` 32-bit integers.
    static MemorySegment ints(MemorySegment segment, long count) {
        return check(segment, count * Integer.BYTES);
    }

    /// The segment, if it is memory off the heap that holds `bytes` bytes.
    static MemorySegment check(MemorySegment segment, long bytes) {
        if (!segment.isNative()) {
            throw new IllegalArgumentException("kernels need memory off the heap: got " + segment);
        }
        if (segment.byteSize() < bytes) {
            throw new IllegalArgumentException(
                    "buffer must hold %d bytes: got %d".formatted(bytes, segment.byteSize()));
        }
        return segment;
    }

    /// Where the segment starts.
    static long address(MemorySegment segment) {
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException("the memory of this kernel was given back");
        }
        return segment.address();
    }

    static FloatVector load(long address) {
        return FloatVector.fromMemorySegment(SPECIES, ALL, address, ORDER);
    }

    /// Lanes outside the mask are 0.
    static FloatVector load(long address, VectorMask<Float> mask) {
        return FloatVector.fromMemorySegment(SPECIES, ALL, address, ORDER, mask);
    }

    static void store(FloatVector vector, long address) {
        vector.intoMemorySegment(ALL, address, ORDER);
    }

    static void store(FloatVector vector, long address, VectorMask<Float> mask) {
        vector.intoMemorySegment(ALL, address, ORDER, mask);
    }

    /// Sets a vector, or adds to it.
    static void put(FloatVector vector, long address, boolean accumulate) {
        store(accumulate ? load(address).add(vector) : vector, address);
    }

    static void put(FloatVector vector, long address, VectorMask<Float> mask, boolean accumulate) {
        store(accumulate ? load(address, mask).add(vector) : vector, address, mask);
    }

    static FloatVector broadcast(float value) {
        return FloatVector.broadcast(SPECIES, value);
    }

    static float get(long address) {
        return ALL.get(ValueLayout.JAVA_FLOAT_UNALIGNED, address);
    }

    static void set(long address, float value) {
        ALL.set(ValueLayout.JAVA_FLOAT_UNALIGNED, address, value);
    }

    static int getInt(long address) {
        return ALL.get(ValueLayout.JAVA_INT_UNALIGNED, address);
    }

    static double getDouble(long address) {
        return ALL.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, address);
    }

    static void setDouble(long address, double value) {
        ALL.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, address, value);
    }

    /// The first `count` lanes.
    static VectorMask<Float> first(int count) {
        return SPECIES.indexInRange(0, count);
    }

    /// The sum of the lanes: halves onto halves.
    static float sum(FloatVector vector) {
        if (COUNT > 8) {
            vector = vector.add(vector.rearrange(ROTATE_8));
        }
        if (COUNT > 4) {
            vector = vector.add(vector.rearrange(ROTATE_4));
        }
        if (COUNT > 2) {
            vector = vector.add(vector.rearrange(ROTATE_2));
        }
        return vector.add(vector.rearrange(ROTATE_1)).lane(0);
    }

    /// The larger, lane by lane; if one is not a number, the first.
    static FloatVector max(FloatVector a, FloatVector b) {
        return a.blend(b, b.compare(VectorOperators.GT, a));
    }

    /// The largest lane.
    static float max(FloatVector vector) {
        return vector.reduceLanes(VectorOperators.MAX);
    }

    /// The inner product of two rows.
    static float dot(long a, long b, int count) {
        FloatVector sum0 = FloatVector.zero(SPECIES);
        FloatVector sum1 = sum0;
        FloatVector sum2 = sum0;
        FloatVector sum3 = sum0;
        int i = 0;
        long at = 0;
        for (; i <= count - 4 * COUNT; i += 4 * COUNT, at += 4 * BYTES) {
            sum0 = load(a + at).fma(load(b + at), sum0);
            sum1 = load(a + at + BYTES).fma(load(b + at + BYTES), sum1);
            sum2 = load(a + at + 2 * BYTES).fma(load(b + at + 2 * BYTES), sum2);
            sum3 = load(a + at + 3 * BYTES).fma(load(b + at + 3 * BYTES), sum3);
        }
        for (; i <= count - COUNT; i += COUNT, at += BYTES) {
            sum0 = load(a + at).fma(load(b + at), sum0);
        }
        if (i < count) {
            VectorMask<Float> tail = first(count - i);
            sum1 = load(a + at, tail).fma(load(b + at, tail), sum1);
        }
        return sum(sum0.add(sum1).add(sum2.add(sum3)));
    }

    /// Copies a row.
    static void copy(long from, long to, int count) {
        int i = 0;
        long at = 0;
        for (; i <= count - COUNT; i += COUNT, at += BYTES) {
            store(load(from + at), to + at);
        }
        if (i < count) {
            VectorMask<Float> tail = first(count - i);
            store(load(from + at, tail), to + at, tail);
        }
    }

    /// Sets a row to another times a factor.
    static void scale(long from, float factor, long to, int count) {
        int i = 0;
        long at = 0;
        for (; i <= count - COUNT; i += COUNT, at += BYTES) {
            store(load(from + at).mul(factor), to + at);
        }
        if (i < count) {
            VectorMask<Float> tail = first(count - i);
            store(load(from + at, tail).mul(factor), to + at, tail);
        }
    }

    /// Sets a row to 0.
    static void zero(long to, int count) {
        FloatVector zero = FloatVector.zero(SPECIES);
        int i = 0;
        long at = 0;
        for (; i <= count - COUNT; i += COUNT, at += BYTES) {
            store(zero, to + at);
        }
        if (i < count) {
            store(zero, to + at, first(count - i));
        }
    }

    /// Adds a row to another.
    static void add(long from, long to, int count) {
        int i = 0;
        long at = 0;
        for (; i <= count - COUNT; i += COUNT, at += BYTES) {
            store(load(to + at).add(load(from + at)), to + at);
        }
        if (i < count) {
            VectorMask<Float> tail = first(count - i);
            store(load(to + at, tail).add(load(from + at, tail)), to + at, tail);
        }
    }
}
