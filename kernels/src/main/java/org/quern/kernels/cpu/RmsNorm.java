package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.MEMORY;
import static org.quern.kernels.cpu.Native.ORDER;
import static org.quern.kernels.cpu.Native.SPECIES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;
import static org.quern.kernels.cpu.Native.store;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// Root-mean-square normalisation of rows (Zhang and Sennrich, 2019).
public final class RmsNorm {
    private RmsNorm() {}

    /// y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps).
    public static final class Forward extends Rowwise {
        private final MemorySegment x;
        private final MemorySegment weight;
        private final MemorySegment y;
        private final MemorySegment rstd;
        private final int width;
        private final double eps;

        /// @param x [rows, width]
        /// @param weight [width]
        /// @param y [rows, width]
        /// @param rstd [rows]
        public Forward(
                MemorySegment x,
                MemorySegment weight,
                MemorySegment y,
                MemorySegment rstd,
                int rows,
                int width,
                double eps) {
            super(rows, width);
            this.x = Buffers.floats(x, (long) rows * width);
            this.weight = Buffers.floats(weight, width);
            this.y = Buffers.floats(y, (long) rows * width);
            this.rstd = Buffers.floats(rstd, rows);
            this.width = width;
            this.eps = eps;
        }

        @Override
        void rows(int from, int to) {
            long weight = address(this.weight);
            long rowBytes = (long) width * Float.BYTES;
            long x = address(this.x) + from * rowBytes;
            long y = address(this.y) + from * rowBytes;
            long rstd = address(this.rstd);
            for (int row = from; row < to; row++, x += rowBytes, y += rowBytes) {
                float scale = (float) (1 / Math.sqrt((double) Rows.dot(x, x, width) / width + eps));
                put(rstd + 4L * row, scale);
                row(x, weight, y, scale);
            }
        }

        private void row(long x, long weight, long y, float scale) {
            int i = 0;
            long at = 0;
            for (; i <= width - LANES; i += LANES, at += BYTES) {
                store(load(x + at).mul(scale).mul(load(weight + at)), y + at);
            }
            for (; i < width; i++, at += Float.BYTES) {
                put(y + at, get(x + at) * scale * get(weight + at));
            }
        }
    }

    /// With g = dy * weight: dx (+)= rstd * (g - x * rstd^2 * mean(g * x)), dWeight (+)= the sum of dy * x *
    /// rstd.
    public static final class Backward implements Kernel {
        private final MemorySegment x;
        private final MemorySegment weight;
        private final MemorySegment rstd;
        private final MemorySegment dy;
        private final MemorySegment dx;
        private final boolean accumulateX;
        private final MemorySegment dWeight;
        private final boolean accumulateWeight;
        private final int width;
        private final RowSums sums;

        /// @param x [rows, width]
        /// @param weight [width]
        /// @param rstd [rows], from the forward pass
        /// @param dy [rows, width]
        /// @param dx [rows, width]; may be `dy` unless it accumulates
        /// @param dWeight [width]
        /// @param workspace [#workspaceBytes] bytes
        public Backward(
                MemorySegment x,
                MemorySegment weight,
                MemorySegment rstd,
                MemorySegment dy,
                MemorySegment dx,
                boolean accumulateX,
                MemorySegment dWeight,
                boolean accumulateWeight,
                MemorySegment workspace,
                int rows,
                int width) {
            this.x = Buffers.floats(x, (long) rows * width);
            this.weight = Buffers.floats(weight, width);
            this.rstd = Buffers.floats(rstd, rows);
            this.dy = Buffers.floats(dy, (long) rows * width);
            this.dx = Buffers.floats(dx, (long) rows * width);
            this.accumulateX = accumulateX;
            this.dWeight = Buffers.floats(dWeight, width);
            this.accumulateWeight = accumulateWeight;
            this.width = width;
            this.sums = new RowSums(rows, width, workspace);
        }

        /// The scratch that the kernel needs.
        public static long workspaceBytes(int rows, int width) {
            return RowSums.bytes(rows, width);
        }

        @Override
        public int phases() {
            return 2;
        }

        @Override
        public int tasks(int phase) {
            return phase == 0 ? sums.blocks() : sums.slices();
        }

        @Override
        public void run(int phase, int task) {
            if (phase == 1) {
                sums.combine(task, dWeight, accumulateWeight);
                return;
            }
            long weight = address(this.weight);
            long rstd = address(this.rstd);
            long rowBytes = (long) width * Float.BYTES;
            int from = sums.from(task);
            int to = sums.from(task + 1);
            long x = address(this.x) + from * rowBytes;
            long dy = address(this.dy) + from * rowBytes;
            long dx = address(this.dx) + from * rowBytes;
            long partial = sums.partial(task);
            Rows.fill(partial, 0, width);
            for (int row = from; row < to; row++, x += rowBytes, dy += rowBytes, dx += rowBytes) {
                float scale = get(rstd + 4L * row);
                float mean = product(x, weight, dy, width) / width;
                row(x, weight, dy, dx, partial, scale, mean * scale * scale);
            }
        }

        /// The sum of dy * weight * x.
        private static float product(long x, long weight, long dy, int count) {
            FloatVector sum = FloatVector.zero(SPECIES);
            int i = 0;
            long at = 0;
            for (; i <= count - LANES; i += LANES, at += BYTES) {
                sum = load(dy + at).mul(load(weight + at)).fma(load(x + at), sum);
            }
            float rest = 0;
            for (; i < count; i++, at += Float.BYTES) {
                rest += get(dy + at) * get(weight + at) * get(x + at);
            }
            return Rows.sum(sum) + rest;
        }

        private void row(long x, long weight, long dy, long dx, long partial, float scale, float slope) {
            int i = 0;
            long at = 0;
            // Calls the vector API alone: see VectorMath on what C2 inlines.
            for (; i <= width - LANES; i += LANES, at += BYTES) {
                FloatVector input = FloatVector.fromMemorySegment(SPECIES, MEMORY, x + at, ORDER);
                FloatVector gradient = FloatVector.fromMemorySegment(SPECIES, MEMORY, dy + at, ORDER);
                gradient.mul(input.mul(scale))
                        .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, partial + at, ORDER))
                        .intoMemorySegment(MEMORY, partial + at, ORDER);
                FloatVector g = gradient.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, weight + at, ORDER));
                FloatVector change = g.sub(input.mul(slope)).mul(scale);
                if (accumulateX) {
                    FloatVector.fromMemorySegment(SPECIES, MEMORY, dx + at, ORDER)
                            .add(change)
                            .intoMemorySegment(MEMORY, dx + at, ORDER);
                } else {
                    change.intoMemorySegment(MEMORY, dx + at, ORDER);
                }
            }
            for (; i < width; i++, at += Float.BYTES) {
                float input = get(x + at);
                float gradient = get(dy + at);
                put(partial + at, gradient * (input * scale) + get(partial + at));
                float g = gradient * get(weight + at);
                Rows.put(dx + at, (g - input * slope) * scale, accumulateX);
            }
        }
    }
}
