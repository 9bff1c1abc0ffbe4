package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

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
            this.x = Lanes.floats(x, (long) rows * width);
            this.weight = Lanes.floats(weight, width);
            this.y = Lanes.floats(y, (long) rows * width);
            this.rstd = Lanes.floats(rstd, rows);
            this.width = width;
            this.eps = eps;
        }

        @Override
        void rows(int from, int to) {
            long weight = Lanes.address(this.weight);
            long rowBytes = (long) width * Float.BYTES;
            long x = Lanes.address(this.x) + from * rowBytes;
            long y = Lanes.address(this.y) + from * rowBytes;
            long rstd = Lanes.address(this.rstd);
            for (int row = from; row < to; row++, x += rowBytes, y += rowBytes) {
                float scale = (float) (1 / Math.sqrt((double) Lanes.dot(x, x, width) / width + eps));
                Lanes.set(rstd + 4L * row, scale);
                row(x, weight, y, scale);
            }
        }

        private void row(long x, long weight, long y, float scale) {
            int i = 0;
            long at = 0;
            for (; i <= width - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
                Lanes.store(Lanes.load(x + at).mul(scale).mul(Lanes.load(weight + at)), y + at);
            }
            if (i < width) {
                VectorMask<Float> tail = Lanes.first(width - i);
                Lanes.store(Lanes.load(x + at, tail).mul(scale).mul(Lanes.load(weight + at, tail)), y + at, tail);
            }
        }
    }

    /// With g = dy * weight: dx (+)= rstd * (g - x * rstd^2 * mean(g * x)), dWeight (+)= the sum of dy * x * rstd.
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
            this.x = Lanes.floats(x, (long) rows * width);
            this.weight = Lanes.floats(weight, width);
            this.rstd = Lanes.floats(rstd, rows);
            this.dy = Lanes.floats(dy, (long) rows * width);
            this.dx = Lanes.floats(dx, (long) rows * width);
            this.accumulateX = accumulateX;
            this.dWeight = Lanes.floats(dWeight, width);
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
            long weight = Lanes.address(this.weight);
            long rstd = Lanes.address(this.rstd);
            long rowBytes = (long) width * Float.BYTES;
            int from = sums.from(task);
            int to = sums.from(task + 1);
            long x = Lanes.address(this.x) + from * rowBytes;
            long dy = Lanes.address(this.dy) + from * rowBytes;
            long dx = Lanes.address(this.dx) + from * rowBytes;
            long partial = sums.partial(task);
            Lanes.zero(partial, width);
            for (int row = from; row < to; row++, x += rowBytes, dy += rowBytes, dx += rowBytes) {
                float scale = Lanes.get(rstd + 4L * row);
                float mean = dot(x, weight, dy, width) / width;
                row(x, weight, dy, dx, partial, scale, mean * scale * scale);
            }
        }

        private void row(long x, long weight, long dy, long dx, long partial, float scale, float slope) {
            int i = 0;
            long at = 0;
            for (; i <= width - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
                FloatVector input = Lanes.load(x + at);
                FloatVector gradient = Lanes.load(dy + at);
                Lanes.store(input.mul(scale).fma(gradient, Lanes.load(partial + at)), partial + at);
                FloatVector g = gradient.mul(Lanes.load(weight + at));
                Lanes.put(g.sub(input.mul(slope)).mul(scale), dx + at, accumulateX);
            }
            if (i < width) {
                VectorMask<Float> tail = Lanes.first(width - i);
                FloatVector input = Lanes.load(x + at, tail);
                FloatVector gradient = Lanes.load(dy + at, tail);
                Lanes.store(input.mul(scale).fma(gradient, Lanes.load(partial + at, tail)), partial + at, tail);
                FloatVector g = gradient.mul(Lanes.load(weight + at, tail));
                Lanes.put(g.sub(input.mul(slope)).mul(scale), dx + at, tail, accumulateX);
            }
        }

        private static float dot(long a, long b, long c, int count) {
            FloatVector sum0 = FloatVector.zero(Lanes.SPECIES);
            FloatVector sum1 = sum0;
            int i = 0;
            long at = 0;
            for (; i <= count - 2 * Lanes.COUNT; i += 2 * Lanes.COUNT, at += 2 * Lanes.BYTES) {
                long next = at + Lanes.BYTES;
                sum0 = Lanes.load(a + at).mul(Lanes.load(b + at)).fma(Lanes.load(c + at), sum0);
                sum1 = Lanes.load(a + next).mul(Lanes.load(b + next)).fma(Lanes.load(c + next), sum1);
            }
            for (; i < count; i += Lanes.COUNT, at += Lanes.BYTES) {
                VectorMask<Float> mask = Lanes.first(count - i);
                sum0 = Lanes.load(a + at, mask).mul(Lanes.load(b + at, mask)).fma(Lanes.load(c + at, mask), sum0);
            }
            return Lanes.sum(sum0.add(sum1));
        }
    }
}
