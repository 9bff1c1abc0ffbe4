package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;
import static org.quern.kernels.cpu.Native.store;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// GELU in its tanh form (Hendrycks and Gimpel, 2016; `gelu_new`), element by element.
///
/// With u = sqrt(2 / pi) * (x + 0.044715 x^3), 0.5 * (1 + tanh(u)) is sigmoid(2u), which does not cancel for
/// negative x.
public final class Gelu {
    private static final float LINEAR = (float) (2 * Math.sqrt(2 / Math.PI));
    private static final float CUBIC = (float) (2 * Math.sqrt(2 / Math.PI) * 0.044715);

    private Gelu() {}

    /// y = x * sigmoid(2u).
    public static final class Forward extends Elementwise {
        private final MemorySegment x;
        private final MemorySegment y;

        /// @param x [count]
        /// @param y [count]; may be `x`
        public Forward(MemorySegment x, MemorySegment y, long count) {
            super(count);
            this.x = Buffers.floats(x, count);
            this.y = Buffers.floats(y, count);
        }

        @Override
        void block(long offset, int count) {
            long x = address(this.x) + offset;
            long y = address(this.y) + offset;
            int i = 0;
            for (; i <= count - LANES; i += LANES, x += BYTES, y += BYTES) {
                store(value(load(x)), y);
            }
            for (; i < count; i++, x += Float.BYTES, y += Float.BYTES) {
                put(y, value(get(x)));
            }
        }

        private static FloatVector value(FloatVector x) {
            FloatVector twiceU = x.mul(x).mul(CUBIC).add(LINEAR).mul(x);
            return x.mul(VectorMath.sigmoid(twiceU));
        }

        private static float value(float x) {
            float twiceU = (x * x * CUBIC + LINEAR) * x;
            return x * VectorMath.sigmoid(twiceU);
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
            this.x = Buffers.floats(x, count);
            this.dy = Buffers.floats(dy, count);
            this.dx = Buffers.floats(dx, count);
            this.accumulate = accumulate;
        }

        @Override
        void block(long offset, int count) {
            long x = address(this.x) + offset;
            long dy = address(this.dy) + offset;
            long dx = address(this.dx) + offset;
            int i = 0;
            long at = 0;
            for (; i <= count - LANES; i += LANES, at += BYTES) {
                Rows.put(dx + at, slope(load(x + at)).mul(load(dy + at)), accumulate);
            }
            for (; i < count; i++, at += Float.BYTES) {
                Rows.put(dx + at, slope(get(x + at)) * get(dy + at), accumulate);
            }
        }

        private static FloatVector slope(FloatVector x) {
            FloatVector square = x.mul(x);
            FloatVector s = VectorMath.sigmoid(square.mul(CUBIC).add(LINEAR).mul(x));
            FloatVector change = square.mul(3 * CUBIC).add(LINEAR).mul(x);
            return change.sub(change.mul(s)).add(1f).mul(s);
        }

        private static float slope(float x) {
            float square = x * x;
            float s = VectorMath.sigmoid((square * CUBIC + LINEAR) * x);
            float change = (square * 3 * CUBIC + LINEAR) * x;
            return (change - change * s + 1) * s;
        }
    }
}
