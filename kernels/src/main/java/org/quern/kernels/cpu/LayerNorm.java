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
            this.x = Buffers.floats(x, (long) rows * width);
            this.weight = Buffers.floats(weight, width);
            this.bias = Buffers.floats(bias, width);
            this.y = Buffers.floats(y, (long) rows * width);
            this.mean = Buffers.floats(mean, rows);
            this.rstd = Buffers.floats(rstd, rows);
            this.width = width;
            this.eps = eps;
        }

        @Override
        void rows(int from, int to) {
            long weight = address(this.weight);
            long bias = address(this.bias);
            long rowBytes = (long) width * Float.BYTES;
            long x = address(this.x) + from * rowBytes;
            long y = address(this.y) + from * rowBytes;
            long means = address(this.mean);
            long rstds = address(this.rstd);
            for (int row = from; row < to; row++, x += rowBytes, y += rowBytes) {
                float mean = Rows.sum(x, width) / width;
                float rstd = (float) (1 / Math.sqrt((double) squares(x, mean, width) / width + eps));
                put(means + 4L * row, mean);
                put(rstds + 4L * row, rstd);
                row(x, weight, bias, y, mean, rstd);
            }
        }

        private void row(long x, long weight, long bias, long y, float mean, float rstd) {
            int i = 0;
            long at = 0;
            for (; i <= width - LANES; i += LANES, at += BYTES) {
                FloatVector normal = load(x + at).sub(mean).mul(rstd);
                store(normal.mul(load(weight + at)).add(load(bias + at)), y + at);
            }
            for (; i < width; i++, at += Float.BYTES) {
                float normal = (get(x + at) - mean) * rstd;
                put(y + at, normal * get(weight + at) + get(bias + at));
            }
        }

        /// The sum of (x - mean)^2.
        private static float squares(long x, float mean, int count) {
            FloatVector sum = FloatVector.zero(SPECIES);
            int i = 0;
            for (; i <= count - LANES; i += LANES, x += BYTES) {
                FloatVector distance = load(x).sub(mean);
                sum = distance.fma(distance, sum);
            }
            float rest = 0;
            for (; i < count; i++, x += Float.BYTES) {
                float distance = get(x) - mean;
                rest += distance * distance;
            }
            return Rows.sum(sum) + rest;
        }
    }

    /// With n = (x - mean) * rstd and g = dy * weight: dx (+)= rstd * (g - mean(g) - n * mean(g * n)),
    /// dWeight (+)= the sum of dy * n, dBias (+)= the sum of dy.
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
            this.x = Buffers.floats(x, (long) rows * width);
            this.weight = Buffers.floats(weight, width);
            this.mean = Buffers.floats(mean, rows);
            this.rstd = Buffers.floats(rstd, rows);
            this.dy = Buffers.floats(dy, (long) rows * width);
            this.dx = Buffers.floats(dx, (long) rows * width);
            this.accumulateX = accumulateX;
            this.dWeight = Buffers.floats(dWeight, width);
            this.accumulateWeight = accumulateWeight;
            this.dBias = Buffers.floats(dBias, width);
            this.accumulateBias = accumulateBias;
            this.width = width;
            Buffers.bytes(workspace, workspaceBytes(rows, width));
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
            long weight = address(this.weight);
            long means = address(this.mean);
            long rstds = address(this.rstd);
            long rowBytes = (long) width * Float.BYTES;
            int from = weightSums.from(task);
            int to = weightSums.from(task + 1);
            long x = address(this.x) + from * rowBytes;
            long dy = address(this.dy) + from * rowBytes;
            long dx = address(this.dx) + from * rowBytes;
            long weightSum = weightSums.partial(task);
            long biasSum = biasSums.partial(task);
            Rows.fill(weightSum, 0, width);
            Rows.fill(biasSum, 0, width);
            for (int row = from; row < to; row++, x += rowBytes, dy += rowBytes, dx += rowBytes) {
                float mean = get(means + 4L * row);
                float rstd = get(rstds + 4L * row);
                float shift = Rows.dot(dy, weight, width) / width;
                float slope = product(x, weight, dy, mean, width) * rstd / width;
                row(x, weight, dy, dx, weightSum, biasSum, mean, rstd, shift, slope);
            }
        }

        /// The sum of dy * weight * (x - mean).
        private static float product(long x, long weight, long dy, float mean, int count) {
            FloatVector sum = FloatVector.zero(SPECIES);
            int i = 0;
            long at = 0;
            for (; i <= count - LANES; i += LANES, at += BYTES) {
                sum = load(dy + at).mul(load(weight + at)).fma(load(x + at).sub(mean), sum);
            }
            float rest = 0;
            for (; i < count; i++, at += Float.BYTES) {
                rest += get(dy + at) * get(weight + at) * (get(x + at) - mean);
            }
            return Rows.sum(sum) + rest;
        }

        private void row(
                long x,
                long weight,
                long dy,
                long dx,
                long weightSum,
                long biasSum,
                float mean,
                float rstd,
                float shift,
                float slope) {
            int i = 0;
            long at = 0;
            // Calls the vector API alone: see VectorMath on what C2 inlines.
            for (; i <= width - LANES; i += LANES, at += BYTES) {
                FloatVector gradient = FloatVector.fromMemorySegment(SPECIES, MEMORY, dy + at, ORDER);
                FloatVector normal = FloatVector.fromMemorySegment(SPECIES, MEMORY, x + at, ORDER)
                        .sub(mean)
                        .mul(rstd);
                gradient.mul(normal)
                        .add(FloatVector.fromMemorySegment(SPECIES, MEMORY, weightSum + at, ORDER))
                        .intoMemorySegment(MEMORY, weightSum + at, ORDER);
                gradient.add(FloatVector.fromMemorySegment(SPECIES, MEMORY, biasSum + at, ORDER))
                        .intoMemorySegment(MEMORY, biasSum + at, ORDER);
                FloatVector g = gradient.mul(FloatVector.fromMemorySegment(SPECIES, MEMORY, weight + at, ORDER))
                        .sub(shift);
                FloatVector change = g.sub(normal.mul(slope)).mul(rstd);
                if (accumulateX) {
                    FloatVector.fromMemorySegment(SPECIES, MEMORY, dx + at, ORDER)
                            .add(change)
                            .intoMemorySegment(MEMORY, dx + at, ORDER);
                } else {
                    change.intoMemorySegment(MEMORY, dx + at, ORDER);
                }
            }
            for (; i < width; i++, at += Float.BYTES) {
                float gradient = get(dy + at);
                float normal = (get(x + at) - mean) * rstd;
                put(weightSum + at, gradient * normal + get(weightSum + at));
                put(biasSum + at, gradient + get(biasSum + at));
                float g = gradient * get(weight + at) - shift;
                Rows.put(dx + at, (g - normal * slope) * rstd, accumulateX);
            }
        }
    }
}
