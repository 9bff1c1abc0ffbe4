package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.MEMORY;
import static org.quern.kernels.cpu.Native.ORDER;
import static org.quern.kernels.cpu.Native.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/// Transposes square blocks, as wide and as high as a vector, in place.
///
/// Halves that lie across the diagonal change places, then quarters within each of the four, and so on.
final class TileTranspose {
    private static final Step STEP_8 = new Step(8);
    private static final Step STEP_4 = new Step(4);
    private static final Step STEP_2 = new Step(2);
    private static final Step STEP_1 = new Step(1);

    private TileTranspose() {}

    /// @param block the address of LANES rows of LANES floats, which start `stride` bytes apart
    static void transpose(long block, long stride) {
        if (LANES > 8) {
            exchange(block, stride, STEP_8);
        }
        if (LANES > 4) {
            exchange(block, stride, STEP_4);
        }
        if (LANES > 2) {
            exchange(block, stride, STEP_2);
        }
        exchange(block, stride, STEP_1);
    }

    private static void exchange(long block, long stride, Step step) {
        for (int row = 0; row < LANES; row++) {
            if ((row & step.distance) == 0) {
                long upper = block + row * stride;
                long lower = upper + step.distance * stride;
                FloatVector a = FloatVector.fromMemorySegment(SPECIES, MEMORY, upper, ORDER);
                FloatVector b = FloatVector.fromMemorySegment(SPECIES, MEMORY, lower, ORDER);
                a.blend(b.rearrange(step.right), step.second).intoMemorySegment(MEMORY, upper, ORDER);
                a.rearrange(step.left).blend(b, step.second).intoMemorySegment(MEMORY, lower, ORDER);
            }
        }
    }

    /// The exchange of what lies `distance` lanes apart.
    private static final class Step {
        private final int distance;
        private final VectorShuffle<Float> left;
        private final VectorShuffle<Float> right;
        /// The lanes whose number has the bit of `distance`.
        private final VectorMask<Float> second;

        private Step(int distance) {
            this.distance = distance;
            left = VectorShuffle.iota(SPECIES, distance, 1, true);
            right = VectorShuffle.iota(SPECIES, LANES - distance, 1, true);
            boolean[] lanes = new boolean[LANES];
            for (int lane = 0; lane < LANES; lane++) {
                lanes[lane] = (lane & distance) != 0;
            }
            second = VectorMask.fromArray(SPECIES, lanes, 0);
        }
    }
}
