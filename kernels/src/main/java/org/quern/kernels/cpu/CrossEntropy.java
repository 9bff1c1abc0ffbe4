package org.quern.kernels.cpu;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// Softmax and cross-entropy of rows of logits against target ids. Rows with a negative target are ignored.
public final class CrossEntropy {
    private CrossEntropy() {}

    /// lse = log(sum(exp(logits))), losses = lse - logits[target], in nats; both 0 for an ignored row.
    public static final class Forward extends Rowwise {
        private final MemorySegment logits;
        private final MemorySegment targets;
        private final MemorySegment losses;
        private final MemorySegment lse;
        private final int vocabulary;

        /// @param logits [rows, vocabulary]
        /// @param targets int32 [rows]; running fails on one of `vocabulary` or more
        /// @param losses [rows]
        /// @param lse [rows]
        public Forward(
                MemorySegment logits,
                MemorySegment targets,
                MemorySegment losses,
                MemorySegment lse,
                int rows,
                int vocabulary) {
            super(rows, vocabulary);
            this.logits = Lanes.floats(logits, (long) rows * vocabulary);
            this.targets = Lanes.ints(targets, rows);
            this.losses = Lanes.floats(losses, rows);
            this.lse = Lanes.floats(lse, rows);
            this.vocabulary = vocabulary;
        }

        @Override
        void rows(int from, int to) {
            long targets = Lanes.address(this.targets);
            for (int row = from; row < to; row++) {
                int target = Lanes.getInt(targets + 4L * row);
                double lse = 0;
                float loss = 0;
                if (target >= 0) {
                    long logits = Lanes.address(this.logits) + (long) row * vocabulary * Float.BYTES;
                    float max = max(logits, vocabulary);
                    lse = max + StrictMath.log(sumOfExp(logits, max, vocabulary));
                    float logit = Lanes.get(logits + 4L * Objects.checkIndex(target, vocabulary));
                    loss = (float) (lse - logit);
                }
                Lanes.set(Lanes.address(this.lse) + 4L * row, (float) lse);
                Lanes.set(Lanes.address(this.losses) + 4L * row, loss);
            }
        }

        private static float max(long x, int count) {
            FloatVector max0 = Lanes.broadcast(Float.NEGATIVE_INFINITY);
            FloatVector max1 = max0;
            FloatVector max2 = max0;
            FloatVector max3 = max0;
            int i = 0;
            long at = 0;
            for (; i <= count - 4 * Lanes.COUNT; i += 4 * Lanes.COUNT, at += 4 * Lanes.BYTES) {
                max0 = Lanes.max(max0, Lanes.load(x + at));
                max1 = Lanes.max(max1, Lanes.load(x + at + Lanes.BYTES));
                max2 = Lanes.max(max2, Lanes.load(x + at + 2 * Lanes.BYTES));
                max3 = Lanes.max(max3, Lanes.load(x + at + 3 * Lanes.BYTES));
            }
            for (; i < count; i += Lanes.COUNT, at += Lanes.BYTES) {
                VectorMask<Float> mask = Lanes.first(count - i);
                max0 = max0.blend(Lanes.max(max0, Lanes.load(x + at, mask)), mask);
            }
            return Lanes.max(Lanes.max(Lanes.max(max0, max1), Lanes.max(max2, max3)));
        }

        private static float sumOfExp(long x, float max, int count) {
            FloatVector sum0 = FloatVector.zero(Lanes.SPECIES);
            FloatVector sum1 = sum0;
            int i = 0;
            long at = 0;
            for (; i <= count - 2 * Lanes.COUNT; i += 2 * Lanes.COUNT, at += 2 * Lanes.BYTES) {
                sum0 = sum0.add(VectorMath.exp(Lanes.load(x + at).sub(max)));
                sum1 = sum1.add(VectorMath.exp(Lanes.load(x + at + Lanes.BYTES).sub(max)));
            }
            for (; i < count; i += Lanes.COUNT, at += Lanes.BYTES) {
                VectorMask<Float> mask = Lanes.first(count - i);
                FloatVector exp = VectorMath.exp(Lanes.load(x + at, mask).sub(max));
                sum0 = sum0.blend(sum0.add(exp), mask);
            }
            return Lanes.sum(sum0.add(sum1));
        }
    }

    /// dLogits (+)= (exp(logits - lse) - onehot(target)) * scale; nothing for an ignored row.
    public static final class Backward extends Rowwise {
        private final MemorySegment logits;
        private final MemorySegment targets;
        private final MemorySegment lse;
        private final MemorySegment scale;
        private final MemorySegment dLogits;
        private final boolean accumulate;
        private final int vocabulary;

        /// @param logits [rows, vocabulary]
        /// @param targets int32 [rows]
        /// @param lse [rows], from the forward pass
        /// @param scale [1], read when run: the gradient of each row's loss
        /// @param dLogits [rows, vocabulary]; may be `logits` unless it accumulates
        public Backward(
                MemorySegment logits,
                MemorySegment targets,
                MemorySegment lse,
                MemorySegment scale,
                MemorySegment dLogits,
                boolean accumulate,
                int rows,
                int vocabulary) {
            super(rows, vocabulary);
            this.logits = Lanes.floats(logits, (long) rows * vocabulary);
            this.targets = Lanes.ints(targets, rows);
            this.lse = Lanes.floats(lse, rows);
            this.scale = Lanes.floats(scale, 1);
            this.dLogits = Lanes.floats(dLogits, (long) rows * vocabulary);
            this.accumulate = accumulate;
            this.vocabulary = vocabulary;
        }

        @Override
        void rows(int from, int to) {
            float scale = Lanes.get(Lanes.address(this.scale));
            for (int row = from; row < to; row++) {
                int target = Lanes.getInt(Lanes.address(targets) + 4L * row);
                long offset = (long) row * vocabulary * Float.BYTES;
                long dLogits = Lanes.address(this.dLogits) + offset;
                if (target >= 0) {
                    float lse = Lanes.get(Lanes.address(this.lse) + 4L * row);
                    row(Lanes.address(logits) + offset, dLogits, lse, scale);
                    long hit = dLogits + 4L * Objects.checkIndex(target, vocabulary);
                    Lanes.set(hit, Lanes.get(hit) - scale);
                } else if (!accumulate) {
                    Lanes.zero(dLogits, vocabulary);
                }
            }
        }

        private void row(long logits, long dLogits, float lse, float scale) {
            int i = 0;
            long at = 0;
            for (; i <= vocabulary - Lanes.COUNT; i += Lanes.COUNT, at += Lanes.BYTES) {
                FloatVector p = VectorMath.exp(Lanes.load(logits + at).sub(lse));
                Lanes.put(p.mul(scale), dLogits + at, accumulate);
            }
            if (i < vocabulary) {
                VectorMask<Float> tail = Lanes.first(vocabulary - i);
                FloatVector p = VectorMath.exp(Lanes.load(logits + at, tail).sub(lse));
                Lanes.put(p.mul(scale), dLogits + at, tail, accumulate);
            }
        }
    }
}
