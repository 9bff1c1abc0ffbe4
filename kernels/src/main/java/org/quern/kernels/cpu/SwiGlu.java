package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// Gated activation (Shazeer, 2020) on fused gate and up projections.
public final class SwiGlu {
    private SwiGlu() {}

    /// out = gate * sigmoid(gate) * up.
    public static final class Forward extends Rowwise {
        private final MemorySegment gateUp;
        private final MemorySegment out;
        private final int width;

        /// @param gateUp [rows, 2 width]: the gates of a row, then its ups
        /// @param out [rows, width]
        public Forward(MemorySegment gateUp, MemorySegment out, int rows, int width) {
            super(rows, width);
            this.gateUp = Lanes.floats(gateUp, 2L * rows * width);
            this.out = Lanes.floats(out, (long) rows * width);
            this.width = width;
        }

        @Override
        void rows(int from, int to) {
            long rowBytes = (long) width * Float.BYTES;
            long gate = Lanes.address(gateUp) + 2 * from * rowBytes;
            long out = Lanes.address(this.out) + from * rowBytes;
            for (int row = from; row < to; row++, gate += 2 * rowBytes, out += rowBytes) {
                row(gate, gate + rowBytes, out);
            }
        }

        private void row(long gate, long up, long out) {
            int i = 0;
            long at = 0;
            for (; i <= width - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
                Lanes.store(value(Lanes.load(gate + at), Lanes.load(up + at)), out + at);
            }
            if (i < width) {
                VectorMask<Float> tail = Lanes.first(width - i);
                Lanes.store(value(Lanes.load(gate + at, tail), Lanes.load(up + at, tail)), out + at, tail);
            }
        }

        private static FloatVector value(FloatVector gate, FloatVector up) {
            return gate.mul(VectorMath.sigmoid(gate)).mul(up);
        }
    }

    /// With s = sigmoid(gate): dUp (+)= dOut * gate * s, dGate (+)= dOut * up * s * (1 + gate * (1 - s)).
    public static final class Backward extends Rowwise {
        private final MemorySegment gateUp;
        private final MemorySegment dOut;
        private final MemorySegment dGateUp;
        private final boolean accumulate;
        private final int width;

        /// @param gateUp [rows, 2 width]
        /// @param dOut [rows, width]
        /// @param dGateUp [rows, 2 width]; may be `gateUp` unless it accumulates
        public Backward(
                MemorySegment gateUp,
                MemorySegment dOut,
                MemorySegment dGateUp,
                boolean accumulate,
                int rows,
                int width) {
            super(rows, width);
            this.gateUp = Lanes.floats(gateUp, 2L * rows * width);
            this.dOut = Lanes.floats(dOut, (long) rows * width);
            this.dGateUp = Lanes.floats(dGateUp, 2L * rows * width);
            this.accumulate = accumulate;
            this.width = width;
        }

        @Override
        void rows(int from, int to) {
            long rowBytes = (long) width * Float.BYTES;
            long gate = Lanes.address(gateUp) + 2 * from * rowBytes;
            long dGate = Lanes.address(dGateUp) + 2 * from * rowBytes;
            long dOut = Lanes.address(this.dOut) + from * rowBytes;
            for (int row = from; row < to; row++, gate += 2 * rowBytes, dGate += 2 * rowBytes, dOut += rowBytes) {
                row(gate, gate + rowBytes, dOut, dGate, dGate + rowBytes);
            }
        }

        private void row(long gate, long up, long dOut, long dGate, long dUp) {
            int i = 0;
            long at = 0;
            for (; i <= width - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
                FloatVector g = Lanes.load(gate + at);
                FloatVector s = VectorMath.sigmoid(g);
                FloatVector gradient = Lanes.load(dOut + at).mul(s);
                FloatVector forGate = gradient.mul(Lanes.load(up + at)).mul(slope(g, s));
                Lanes.put(forGate, dGate + at, accumulate);
                Lanes.put(gradient.mul(g), dUp + at, accumulate);
            }
            if (i < width) {
                VectorMask<Float> tail = Lanes.first(width - i);
                FloatVector g = Lanes.load(gate + at, tail);
                FloatVector s = VectorMath.sigmoid(g);
                FloatVector gradient = Lanes.load(dOut + at, tail).mul(s);
                FloatVector forGate = gradient.mul(Lanes.load(up + at, tail)).mul(slope(g, s));
                Lanes.put(forGate, dGate + at, tail, accumulate);
                Lanes.put(gradient.mul(g), dUp + at, tail, accumulate);
            }
        }

        /// 1 + gate * (1 - s).
        private static FloatVector slope(FloatVector gate, FloatVector s) {
            return gate.sub(gate.mul(s)).add(1f);
        }
    }
}
