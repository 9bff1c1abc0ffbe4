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
            this.gateUp = Buffers.floats(gateUp, 2L * rows * width);
            this.out = Buffers.floats(out, (long) rows * width);
            this.width = width;
        }

        @Override
        void rows(int from, int to) {
            long rowBytes = (long) width * Float.BYTES;
            long gate = address(gateUp) + 2 * from * rowBytes;
            long out = address(this.out) + from * rowBytes;
            for (int row = from; row < to; row++, gate += 2 * rowBytes, out += rowBytes) {
                row(gate, gate + rowBytes, out);
            }
        }

        private void row(long gate, long up, long out) {
            int i = 0;
            long at = 0;
            for (; i <= width - LANES; i += LANES, at += BYTES) {
                FloatVector g = load(gate + at);
                store(g.mul(VectorMath.sigmoid(g)).mul(load(up + at)), out + at);
            }
            for (; i < width; i++, at += Float.BYTES) {
                float g = get(gate + at);
                put(out + at, g * VectorMath.sigmoid(g) * get(up + at));
            }
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
            this.gateUp = Buffers.floats(gateUp, 2L * rows * width);
            this.dOut = Buffers.floats(dOut, (long) rows * width);
            this.dGateUp = Buffers.floats(dGateUp, 2L * rows * width);
            this.accumulate = accumulate;
            this.width = width;
        }

        @Override
        void rows(int from, int to) {
            long rowBytes = (long) width * Float.BYTES;
            long gate = address(gateUp) + 2 * from * rowBytes;
            long dGate = address(dGateUp) + 2 * from * rowBytes;
            long dOut = address(this.dOut) + from * rowBytes;
            for (int row = from; row < to; row++, gate += 2 * rowBytes, dGate += 2 * rowBytes, dOut += rowBytes) {
                row(gate, gate + rowBytes, dOut, dGate, dGate + rowBytes);
            }
        }

        private void row(long gate, long up, long dOut, long dGate, long dUp) {
            int i = 0;
            long at = 0;
            for (; i <= width - LANES; i += LANES, at += BYTES) {
                FloatVector g = load(gate + at);
                FloatVector s = VectorMath.sigmoid(g);
                FloatVector gradient = load(dOut + at).mul(s);
                FloatVector slope = g.sub(g.mul(s)).add(1f);
                FloatVector forGate = gradient.mul(load(up + at)).mul(slope);
                Rows.put(dGate + at, forGate, accumulate);
                Rows.put(dUp + at, gradient.mul(g), accumulate);
            }
            for (; i < width; i++, at += Float.BYTES) {
                float g = get(gate + at);
                float s = VectorMath.sigmoid(g);
                float gradient = get(dOut + at) * s;
                float slope = g - g * s + 1;
                float forGate = gradient * get(up + at) * slope;
                Rows.put(dGate + at, forGate, accumulate);
                Rows.put(dUp + at, gradient * g, accumulate);
            }
        }
    }
}
