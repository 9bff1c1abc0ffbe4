package org.quern.collective;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.quern.kernels.check.Bf16;

/// What workers sum in tests, and what must come out: written plainly, an element at a time.
final class Terms {
    private Terms() {}

    /// Values of many magnitudes, so that the order of a sum shows in its bits.
    static float term(int rank, long i, ElementType type) {
        int x = (int) (i * 0x9E3779B1L) ^ (rank + 1) * 40503;
        x = (x ^ x >>> 15) * 0x85EBCA77;
        x ^= x >>> 13;
        float value = x * 0x1p-31f * (1 << (x & 15));
        return type == ElementType.F32 ? value : Bf16.round(value);
    }

    /// The sum of ranks [from, to), by the tree that [Communicator] documents.
    static float sum(int from, int to, long i, ElementType type) {
        if (to - from == 1) {
            return term(from, i, type);
        }
        int middle = from + Integer.highestOneBit(to - from - 1);
        return sum(from, middle, i, type) + sum(middle, to, i, type);
    }

    static MemorySegment ofRank(Arena arena, int rank, long count, ElementType type) {
        MemorySegment data = arena.allocate(count * type.bytes(), type.bytes());
        for (long i = 0; i < count; i++) {
            put(data, i, term(rank, i, type), type);
        }
        return data;
    }

    static void put(MemorySegment data, long i, float value, ElementType type) {
        switch (type) {
            case F32 -> data.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
            case BF16 -> data.setAtIndex(ValueLayout.JAVA_SHORT, i, Bf16.bits(value));
        }
    }

    /// The first element of [from, to) that is not the sum of all ranks to the last bit, or -1.
    static long wrong(MemorySegment data, long from, long to, int world, ElementType type) {
        for (long i = from; i < to; i++) {
            float right = sum(0, world, i, type);
            boolean same = switch (type) {
                case F32 -> data.getAtIndex(ValueLayout.JAVA_INT, i) == Float.floatToRawIntBits(right);
                case BF16 -> data.getAtIndex(ValueLayout.JAVA_SHORT, i) == Bf16.bits(right);
            };
            if (!same) {
                return i;
            }
        }
        return -1;
    }
}
