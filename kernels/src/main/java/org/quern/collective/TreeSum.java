package org.quern.collective;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The sum over workers as [Communicator] documents it: a balanced tree, in fp32, rounded once.
final class TreeSum {
    /// Elements that are summed at once, in the first-level cache.
    private static final int BLOCK = 1024;

    private final float[][] scratch;
    private final int world;

    TreeSum(int world) {
        this.world = world;
        scratch = new float[2 + Integer.SIZE - Integer.numberOfLeadingZeros(world)][BLOCK];
    }

    /// @param sources one for each worker, with at least `elements` elements
    /// @param to may be one of them
    void sum(MemorySegment[] sources, ElementType type, long elements, MemorySegment to) {
        for (long at = 0; at < elements; at += BLOCK) {
            int count = (int) Math.min(BLOCK, elements - at);
            tree(sources, type, 0, world, at, count, 0);
            store(scratch[0], type, to, at, count);
        }
    }

    /// Leaves the sum of workers [from, to) in `scratch[depth]`.
    private void tree(MemorySegment[] sources, ElementType type, int from, int to, long at, int count, int depth) {
        if (to - from == 1) {
            load(sources[from], type, at, count, scratch[depth]);
            return;
        }
        int middle = from + Integer.highestOneBit(to - from - 1);
        tree(sources, type, from, middle, at, count, depth);
        tree(sources, type, middle, to, at, count, depth + 1);
        add(scratch[depth], scratch[depth + 1], count);
    }

    private static void add(float[] to, float[] other, int count) {
        for (int i = 0; i < count; i++) {
            to[i] += other[i];
        }
    }

    private static void load(MemorySegment source, ElementType type, long at, int count, float[] to) {
        switch (type) {
            case F32 -> MemorySegment.copy(source, ValueLayout.JAVA_FLOAT, at * Float.BYTES, to, 0, count);
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    to[i] = Float.intBitsToFloat(source.getAtIndex(ValueLayout.JAVA_SHORT, at + i) << 16);
                }
            }
        }
    }

    private static void store(float[] from, ElementType type, MemorySegment to, long at, int count) {
        switch (type) {
            case F32 -> MemorySegment.copy(from, 0, to, ValueLayout.JAVA_FLOAT, at * Float.BYTES, count);
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    to.setAtIndex(ValueLayout.JAVA_SHORT, at + i, rounded(from[i]));
                }
            }
        }
    }

    /// The nearest brain float, ties to even; what is not a number stays so.
    private static short rounded(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }
}
