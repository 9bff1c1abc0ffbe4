package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// Normalisation of rows by mean and variance (Ba et al., 2016).
public final class LayerNorm {
    private LayerNorm() {}

    /// y = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(mean((x - mean)^2) + eps).
    public static final class Forward extends Rowwise {
        private final MemorySegment x;
        private final MemorySegment weight;
        private final MemorySegment bias;
        private final MemorySegment y;
        private final MemorySegment mean;
        private final MemorySegment rstd;
        private final int width;
        private final double eps;

        /// @param x [rows, width]
        /// @param weight [width]
        /// @param bias [width]
        /// @param y [rows, width]; may be `x`
        /// @param mean [rows]
        /// @param rstd [rows]
        public Forward(
                MemorySegment x,
                MemorySegment weight,
                MemorySegment bias,
                MemorySegment y,
                MemorySegment mean,
                MemorySegment rstd,
                int rows,
                int width,
                double eps) {
            super(rows, width);
            this.x = Lanes.floats(x, (long) rows * width);
            this.weight = Lanes.floats(weight, width);
            this.bias = Lanes.floats(bias, width);
            this.y = Lanes.floats(y, (long) rows * width);
            this.mean = Lanes.floats(mean, rows);
            this.rstd = Lanes.floats(rstd, rows);
            this.width = width;
            this.eps = eps;
        }

        @Override
        void rows(int from, int to) {
            long weight = Lanes.address(this.weight);
            long bias = Lanes.address(this.bias);
            long rowBytes = (long) width * Float.BYTES;
            long x = Lanes.address(this.x) + from * rowBytes;
            long y = Lanes.address(this.y) + from * rowBytes;
            long means = Lanes.address(this.mean);
            long rstds = Lanes.address(this.rstd);
            for (int row = from; row < to; row++, x += rowBytes, y += rowBytes) {
                float mean = sum(x, width) / width;
                float rstd = (float) (1 / Math.sqrt((double) squares(x, mean, width) / width + eps));
                Lanes.set(means + 4L * row, mean);
                Lanes.set(rstds + 4L * row, rstd);
                row(x, weight, bias, y, mean, rstd);
            }
        }

        private void row(long x, long weight, long bias, long y, float mean, float rstd) {
            int i = 0;
            long at = 0;
            for (; i <= width - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
                FloatVector normal = Lanes.load(x + at).sub(mean).mul(rstd);
                Lanes.store(normal.fma(Lanes.load(weight + at), Lanes.load(bias + at)), y + at);
            }
            if (i < width) {
                VectorMask<Float> tail = Lanes.first(width - i);
                FloatVector normal = Lanes.load(x + at, tail).sub(mean).mul(rstd);
                Lanes.store(normal.fma(Lanes.load(weight + at, tail), Lanes.load(bias + at, tail)), y + at, tail);
            }
        }

        private static float sum(long x, int count) {
            FloatVector sum0 = FloatVector.zero(Lanes.SPECIES);
            FloatVector sum1 = sum0;
            int i = 0;
            long at = 0;
            for (; i <= count - 2 * Lanes.COUNT; i += 2 * Lanes.COUNT, at += 2 * Lanes.BYTES) {
                sum0 = sum0.add(Lanes.load(x + at));
                sum1 = sum1.add(Lanes.load(x + at + Lanes.BYTES));
            }
            for (; i < count; i += Lanes.COUNT, at += Lanes.BYTES) {
                sum0 = sum0.add(Lanes.load(x + at, Lanes.first(count - i)));
            }
            return Lanes.sum(sum0.add(sum1));
        }

        /// The sum of (x - mean)^2.
        private static float squares(long x, float mean, int count) {
            FloatVector sum0 = FloatVector.zero(Lanes.SPECIES);
            FloatVector sum1 = sum0;
            int i = 0;
            long at = 0;
            for (; i <= count - 2 * Lanes.COUNT; i += 2 * Lanes.COUNT, at += 2 * Lanes.BYTES) {
                FloatVector distance0 = Lanes.load(x + at).sub(mean);
                FloatVector distance1 = Lanes.load(x + at + Lanes.BYTES).sub(mean);
                sum0 = distance0.fma(distance0, sum0);
                sum1 = distance1.fma(distance1, sum1);
            }
            for (; i < count; i += Lanes.COUNT, at += Lanes.BYTES) {
                VectorMask<Float> mask = Lanes.first(count - i);
                FloatVector distance = Lanes.load(x + at, mask).sub(mean);
                sum0 = sum0.blend(distance.fma(distance, sum0), mask);
            }
            return Lanes.sum(sum0.add(sum1));
        }
    }

    /// With n = (x - mean) * rstd and g = dy * weight: dx (+)= rstd * (g - mean(g) - n * mean(g * n)), dWeight (+)= the
    /// sum of dy * n, dBias (+)= the sum of dy.
    public static final class Backward implements Kernel {
        private final MemorySegment x;
        private final MemorySegment weight;
        private final MemorySegment mean;
        private final MemorySegment rstd;
        private final MemorySegment dy;
        private final MemorySegment dx;
        private final boolean accumulateX;
        private final MemorySegment dWeight;
        private final boolean accumulateWeight;
        private final MemorySegment dBias;
        private final boolean accumulateBias;
        private final int width;
        private final RowSums weightSums;
        private final RowSums biasSums;

        /// @param x [rows, width]
        /// @param weight [width]
        /// @param mean [rows], from the forward pass
        /// @param rstd [rows], from the forward pass
        /// @param dy [rows, width]
        /// @param dx [rows, width]; may be `dy` unless it accumulates
        /// @param dWeight [width]
        /// @param dBias [width]
        /// @param workspace [#workspaceBytes] bytes
        public Backward(
                MemorySegment x,
                MemorySegment weight,
                MemorySegment mean,
                MemorySegment rstd,
                MemorySegment dy,
                MemorySegment dx,
                boolean accumulateX,
                MemorySegment dWeight,
                boolean accumulateWeight,
                MemorySegment dBias,
                boolean accumulateBias,
                MemorySegment workspace,
                int rows,
                int width) {
            this.x = Lanes.floats(x, (long) rows * width);
            this.weight = Lanes.floats(weight, width);
            this.mean = Lanes.floats(mean, rows);
            this.rstd = Lanes.floats(rstd, rows);
            this.dy = Lanes.floats(dy, (long) rows * width);
            this.dx = Lanes.floats(dx, (long) rows * width);
            this.accumulateX = accumulateX;
            this.dWeight = Lanes.floats(dWeight, width);
            this.accumulateWeight = accumulateWeight;
            this.dBias = Lanes.floats(dBias, width);
            this.accumulateBias = accumulateBias;
            this.width = width;
            Lanes.check(workspace, workspaceBytes(rows, width));
            this.weightSums = new RowSums(rows, width, workspace);
            this.biasSums = new RowSums(rows, width, workspace.asSlice(RowSums.bytes(rows, width)));
        }

        /// The scratch that the kernel needs.
        public static long workspaceBytes(int rows, int width) {
            return 2 * RowSums.bytes(rows, width);
        }

        @Override
        public int phases() {
            return 2;
        }

        @Override
        public int tasks(int phase) {
            return phase == 0 ? weightSums.blocks() : weightSums.slices();
        }

        @Override
        public void run(int phase, int task) {
            if (phase == 1) {
                weightSums.combine(task, dWeight, accumulateWeight);
                biasSums.combine(task, dBias, accumulateBias);
                return;
            }
            long weight = Lanes.address(this.weight);
            long means = Lanes.address(this.mean);
            long rstds = Lanes.address(this.rstd);
            long rowBytes = (long) width * Float.BYTES;
            int from = weightSums.from(task);
            int to = weightSums.from(task + 1);
            long x = Lanes.address(this.x) + from * rowBytes;
            long dy = Lanes.address(this.dy) + from * rowBytes;
            long dx = Lanes.address(this.dx) + from * rowBytes;
            long weightSum = weightSums.partial(task);
            long biasSum = biasSums.partial(task);
            Lanes.zero(weightSum, width);
            Lanes.zero(biasSum, width);
            for (int row = from; row < to; row++, x += rowBytes, dy += rowBytes, dx += rowBytes) {
                row(x, weight, dy, dx, weightSum, biasSum, Lanes.get(means + 4L * row), Lanes.get(rstds + 4L * row));
            }
        }

        private void row(long x, long weight, long dy, long dx, long weightSum, long biasSum, float mean, float rstd) {
            FloatVector sum = FloatVector.zero(Lanes.SPECIES);
            FloatVector product = sum;
            int i = 0;
            long at = 0;
            for (; i <= width - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
                FloatVector gradient = Lanes.load(dy + at);
                FloatVector normal = Lanes.load(x + at).sub(mean).mul(rstd);
                FloatVector g = gradient.mul(Lanes.load(weight + at));
                sum = sum.add(g);
                product = g.fma(normal, product);
                Lanes.store(gradient.fma(normal, Lanes.load(weightSum + at)), weightSum + at);
                Lanes.store(gradient.add(Lanes.load(biasSum + at)), biasSum + at);
            }
            if (i < width) {
                VectorMask<Float> tail = Lanes.first(width - i);
                FloatVector gradient = Lanes.load(dy + at, tail);
                FloatVector normal = Lanes.load(x + at, tail).sub(mean).mul(rstd);
                FloatVector g = gradient.mul(Lanes.load(weight + at, tail));
                sum = sum.add(g);
                product = g.fma(normal, product);
                Lanes.store(gradient.fma(normal, Lanes.load(weightSum + at, tail)), weightSum + at, tail);
                Lanes.store(gradient.add(Lanes.load(biasSum + at, tail)), biasSum + at, tail);
            }
            float shift = Lanes.sum(sum) / width;
            float slope = Lanes.sum(product) / width;
            i = 0;
            at = 0;
            for (; i <= width - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
                FloatVector normal = Lanes.load(x + at).sub(mean).mul(rstd);
                FloatVector g = Lanes.load(dy + at).mul(Lanes.load(weight + at));
                Lanes.put(g.sub(shift).sub(normal.mul(slope)).mul(rstd), dx + at, accumulateX);
            }
            if (i < width) {
                VectorMask<Float> tail = Lanes.first(width - i);
                FloatVector normal = Lanes.load(x + at, tail).sub(mean).mul(rstd);
                FloatVector g = Lanes.load(dy + at, tail).mul(Lanes.load(weight + at, tail));
                Lanes.put(g.sub(shift).sub(normal.mul(slope)).mul(rstd), dx + at, tail, accumulateX);
            }
        }
    }
}
