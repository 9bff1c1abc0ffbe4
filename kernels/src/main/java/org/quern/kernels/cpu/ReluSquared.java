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
            return x.mul(x.max(0f));
        }

        private static float value(float x) {
            return x * Math.max(x, 0);
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
            return x.max(0f).mul(2f);
        }

        private static float slope(float x) {
            return Math.max(x, 0) * 2;
        }
    }
}
