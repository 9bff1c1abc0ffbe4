package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// max(x, 0)^2 (So et al., 2021), element by element.
public final class ReluSquared {
    private ReluSquared() {}

    /// y = max(x, 0)^2.
    public static final class Forward extends Elementwise {
        private final MemorySegment x;
        private final MemorySegment y;

        /// @param x [count]
        /// @param y [count]; may be `x`
        public Forward(MemorySegment x, MemorySegment y, long count) {
            super(count);
            this.x = Lanes.floats(x, count);
            this.y = Lanes.floats(y, count);
        }

        @Override
        void block(long offset, int count) {
            long x = Lanes.address(this.x) + offset;
            long y = Lanes.address(this.y) + offset;
            int i = 0;
            for (; i <= count - Lanes.COUNT; i += Lanes.COUNT, x += Lanes.BYTES, y += Lanes.BYTES) {
                Lanes.store(value(Lanes.load(x)), y);
            }
            if (i < count) {
                VectorMask<Float> tail = Lanes.first(count - i);
                Lanes.store(value(Lanes.load(x, tail)), y, tail);
            }
        }

        private static FloatVector value(FloatVector x) {
            return x.mul(x.blend(0f, x.compare(VectorOperators.LT, 0f)));
        }
    }

    /// dx (+)= dy * 2 max(x, 0).
    public static final class Backward extends Elementwise {
        private final MemorySegment x;
        private final MemorySegment dy;
        private final MemorySegment dx;
        private final boolean accumulate;

        /// @param x [count]
        /// @param dy [count]
        /// @param dx [count]; may be `dy` or `x` unless it accumulates
        public Backward(MemorySegment x, MemorySegment dy, MemorySegment dx, boolean accumulate, long count) {
            super(count);
            this.x = Lanes.floats(x, count);
            this.dy = Lanes.floats(dy, count);
            this.dx = Lanes.floats(dx, count);
            this.accumulate = accumulate;
        }

        @Override
        void block(long offset, int count) {
            long x = Lanes.address(this.x) + offset;
            long dy = Lanes.address(this.dy) + offset;
            long dx = Lanes.address(this.dx) + offset;
            int i = 0;
            long at = 0;
            for (; i <= count - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
                Lanes.put(slope(Lanes.load(x + at)).mul(Lanes.load(dy + at)), dx + at, accumulate);
            }
            if (i < count) {
                VectorMask<Float> tail = Lanes.first(count - i);
                Lanes.put(slope(Lanes.load(x + at, tail)).mul(Lanes.load(dy + at, tail)), dx + at, tail, accumulate);
            }
        }

        private static FloatVector slope(FloatVector x) {
            return x.add(x).blend(0f, x.compare(VectorOperators.LT, 0f));
        }
    }
}
