package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.SPECIES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.getInt;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

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
            this.logits = Buffers.floats(logits, (long) rows * vocabulary);
            this.targets = Buffers.ints(targets, rows);
            this.losses = Buffers.floats(losses, rows);
            this.lse = Buffers.floats(lse, rows);
            this.vocabulary = vocabulary;
        }

        @Override
        void rows(int from, int to) {
            for (int row = from; row < to; row++) {
                int target = getInt(address(targets) + 4L * row);
                double lse = 0;
                float loss = 0;
                if (target >= 0) {
                    long logits = address(this.logits) + (long) row * vocabulary * Float.BYTES;
                    float max = max(logits, vocabulary);
                    lse = max + StrictMath.log(sumOfExp(logits, max, vocabulary));
                    float logit = get(logits + 4L * Objects.checkIndex(target, vocabulary));
                    loss = (float) (lse - logit);
                }
                put(address(this.lse) + 4L * row, (float) lse);
                put(address(this.losses) + 4L * row, loss);
            }
        }

        private static float max(long x, int count) {
            FloatVector max0 = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
            FloatVector max1 = max0;
            int i = 0;
            for (; i <= count - 2 * LANES; i += 2 * LANES, x += 2 * BYTES) {
                max0 = Rows.max(max0, load(x));
                max1 = Rows.max(max1, load(x + BYTES));
            }
            float max = Rows.max(max0, max1).reduceLanes(VectorOperators.MAX);
            for (; i < count; i++, x += Float.BYTES) {
                max = Math.max(max, get(x));
            }
            return max;
        }

        private static float sumOfExp(long x, float max, int count) {
            FloatVector sum = FloatVector.zero(SPECIES);
            int i = 0;
            for (; i <= count - LANES; i += LANES, x += BYTES) {
                sum = sum.add(VectorMath.exp(load(x).sub(max)));
            }
            float rest = 0;
            for (; i < count; i++, x += Float.BYTES) {
                rest += (float) StrictMath.exp(get(x) - max);
            }
            return Rows.sum(sum) + rest;
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
            this.logits = Buffers.floats(logits, (long) rows * vocabulary);
            this.targets = Buffers.ints(targets, rows);
            this.lse = Buffers.floats(lse, rows);
            this.scale = Buffers.floats(scale, 1);
            this.dLogits = Buffers.floats(dLogits, (long) rows * vocabulary);
            this.accumulate = accumulate;
            this.vocabulary = vocabulary;
        }

        @Override
        void rows(int from, int to) {
            float scale = get(address(this.scale));
            for (int row = from; row < to; row++) {
                int target = getInt(address(targets) + 4L * row);
                long offset = (long) row * vocabulary * Float.BYTES;
                long dLogits = address(this.dLogits) + offset;
                if (target >= 0) {
                    long hit = dLogits + 4L * Objects.checkIndex(target, vocabulary);
                    row(address(logits) + offset, dLogits, get(address(lse) + 4L * row), scale);
                    put(hit, get(hit) - scale);
                } else if (!accumulate) {
                    Rows.fill(dLogits, 0, vocabulary);
                }
            }
        }

        private void row(long logits, long dLogits, float lse, float scale) {
            int i = 0;
            long at = 0;
            for (; i <= vocabulary - LANES; i += LANES, at += BYTES) {
                Rows.put(
                        dLogits + at, VectorMath.exp(load(logits + at).sub(lse)).mul(scale), accumulate);
            }
            for (; i < vocabulary; i++, at += Float.BYTES) {
                Rows.put(dLogits + at, (float) StrictMath.exp(get(logits + at) - lse) * scale, accumulate);
            }
        }
    }
}
