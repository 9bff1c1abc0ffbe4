package org.quern.corpus.fasttext;

/// Turns a text's vector into the score of each label, as the loss a model was trained with asks.
sealed interface OutputLayer permits HierarchicalSoftmax, Softmax, Sigmoids {
    /// Finds the best label of a vector; of equal ones the last, as fastText does.
    void best(float[] hidden, Best best);

    /// The logarithm of one label's score.
    float logarithm(float[] hidden, int label);

    /// A float logarithm with fastText's floor: scores are its exponents, and may exceed 1 by 1e-5.
    static float log(float value) {
        return (float) Math.log(value + 1e-5);
    }

    static float dot(Matrix weights, int row, float[] hidden) {
        float[] values = weights.values();
        int from = row * hidden.length;
        float sum = 0;
        for (int i = 0; i < hidden.length; i++) {
            sum += values[from + i] * hidden[i];
        }
        return sum;
    }

    static float sigmoid(float value) {
        return (float) (1.0 / (1 + (float) Math.exp(-value)));
    }

    /// The best label so far, filled by a layer.
    final class Best {
        private int label;
        private float logarithm;

        void clear() {
            label = 0;
            logarithm = Float.NEGATIVE_INFINITY;
        }

        void offer(int candidate, float candidateLogarithm) {
            if (candidateLogarithm >= logarithm) {
                label = candidate;
                logarithm = candidateLogarithm;
            }
        }

        int label() {
            return label;
        }

        float logarithm() {
            return logarithm;
        }
    }
}
