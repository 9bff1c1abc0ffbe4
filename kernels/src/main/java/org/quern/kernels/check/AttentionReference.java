package org.quern.kernels.check;

import java.util.Arrays;
import org.quern.kernels.cuda.Attention.Shape;

/// softmax(q k^T / sqrt(D)) v, written from the formula in double precision on bf16 inputs; [AttentionCases] says
/// what results may be off.
final class AttentionReference {
    /// What scores, exponents and sums may be off, as a part of the magnitudes that they are sums of.
    static final double FLOAT = 0x1p-20;

    private AttentionReference() {}

    /// Fused rows, as the kernels see them.
    record Fused(float[] values, Shape shape) {
        /// Normally distributed.
        static Fused of(CheckDevice device, Shape shape, double deviation) {
            return new Fused(device.normalBf16(rows(shape) * width(shape), deviation), shape);
        }

        private int row(int sequence, int token) {
            return (sequence * shape.length() + token) * width(shape);
        }

        int query(int sequence, int token, int head) {
            return row(sequence, token) + head * shape.headDim();
        }

        /// The key of a query head.
        int key(int sequence, int token, int head) {
            return row(sequence, token) + (shape.heads() + head / group(shape)) * shape.headDim();
        }

        int value(int sequence, int token, int head) {
            return key(sequence, token, head) + shape.keyValueHeads() * shape.headDim();
        }

        /// What a query sees of its own sequence.
        ///
        /// @param starts where each token's document begins
        Weights weights(int[] starts, int sequence, int head, int token) {
            int first = starts[sequence * shape.length() + token];
            if (shape.window() > 0) {
                first = Math.max(first, token - shape.window() + 1);
            }
            return Weights.of(
                    values,
                    query(sequence, token, head),
                    values,
                    key -> key(sequence, key, head),
                    first,
                    token,
                    shape.headDim());
        }
    }

    private static int width(Shape shape) {
        return (shape.heads() + 2 * shape.keyValueHeads()) * shape.headDim();
    }

    static int group(Shape shape) {
        return shape.heads() / shape.keyValueHeads();
    }

    static int rows(Shape shape) {
        return shape.sequences() * shape.length();
    }

    /// What a query sees, and how much.
    ///
    /// @param first key
    /// @param weights of the keys from it on
    /// @param lse log-sum-exp of the scores
    /// @param uncertainty W, of the weights
    record Weights(int first, double[] weights, double lse, double uncertainty) {
        interface Keys {
            /// Where key i begins.
            int at(int token);
        }

        static Weights of(float[] queries, int query, float[] allKeys, Keys keys, int first, int last, int headDim) {
            double[] scores = new double[last - first + 1];
            double scale = 1 / Math.sqrt(headDim);
            double largest = 0;
            for (int i = 0; i < scores.length; i++) {
                int key = keys.at(first + i);
                double magnitude = 0;
                for (int d = 0; d < headDim; d++) {
                    double product = (double) queries[query + d] * allKeys[key + d];
                    scores[i] += product * scale;
                    magnitude += Math.abs(product) * scale;
                }
                largest = Math.max(largest, magnitude);
            }
            double max = Arrays.stream(scores).max().orElseThrow();
            double total =
                    Arrays.stream(scores).map(score -> Math.exp(score - max)).sum();
            double[] weights = Arrays.stream(scores)
                    .map(score -> Math.exp(score - max) / total)
                    .toArray();
            return new Weights(first, weights, max + Math.log(total), FLOAT * (largest + 1));
        }

        /// out += the values, weighted; tolerance += what that may be off.
        void average(float[] values, Keys rows, int headDim, double[] out, double[] tolerance, int at) {
            for (int i = 0; i < weights.length; i++) {
                int row = rows.at(first + i);
                for (int d = 0; d < headDim; d++) {
                    double term = weights[i] * values[row + d];
                    out[at + d] += term;
                    tolerance[at + d] += (Bf16.ROUNDING + uncertainty) * Math.abs(term);
                }
            }
        }
    }

    /// What is done with each query.
    interface Query {
        /// @param at its number in [row, head]
        void visit(int sequence, int token, int head, int at);
    }

    static void forEachQuery(Shape shape, Query query) {
        int at = 0;
        for (int sequence = 0; sequence < shape.sequences(); sequence++) {
            for (int token = 0; token < shape.length(); token++) {
                for (int head = 0; head < shape.heads(); head++) {
                    query.visit(sequence, token, head, at++);
                }
            }
        }
    }
}
