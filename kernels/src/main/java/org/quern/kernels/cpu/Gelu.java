package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// GELU in its tanh form (Hendrycks and Gimpel, 2016; `gelu_new`), element by element.
///
/// With u = sqrt(2 / pi) * (x + 0.044715 x^3), 0.5 * (1 + tanh(u)) is sigmoid(2u), which does not cancel for negative
/// x.
public final class Gelu {
    private static final float LINEAR = (float) (2 * Math.sqrt(2 / Math.PI));
    private static final float CUBIC = (float) (2 * Math.sqrt(2 / Math.PI) * 0.044715);

    private static FloatVector twiceU(FloatVector x) {
        return x.mul(x.mul(x).fma(Lanes.broadcast(CUBIC), Lanes.broadcast(LINEAR)));
    }

    private Gelu() {}

    /// y = x * sigmoid(2u).
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
            return x.mul(VectorMath.sigmoid(twiceU(x)));
        }
    }

    /// With s = sigmoid(2u): dx (+)= dy * s * (1 + x * (1 - s) * d(2u)/dx).
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
            FloatVector s = VectorMath.sigmoid(twiceU(x));
            FloatVector twiceDu = x.mul(x).fma(Lanes.broadcast(3 * CUBIC), Lanes.broadcast(LINEAR));
            FloatVector rest = x.mul(twiceDu).mul(s.neg().add(1f));
            return s.fma(rest, s);
        }
    }
}
