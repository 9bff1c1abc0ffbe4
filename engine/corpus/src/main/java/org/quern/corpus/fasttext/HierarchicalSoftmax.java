package org.quern.corpus.fasttext;

import java.util.Arrays;

/// A Huffman tree over the labels, built from how often each was seen: a label's score is the product of
/// the decisions on its path, and branches that cannot beat the best so far are not entered.
final class HierarchicalSoftmax implements OutputLayer {
    /// More than any count: a node whose children are not known yet.
    static final long UNBUILT = 1_000_000_000_000_000L;

    private final Matrix weights;
    private final int labels;
    private final int[] left;
    private final int[] right;
    private final int[] parent;

    HierarchicalSoftmax(Matrix weights, Dictionary dictionary) {
        this.weights = weights;
        labels = dictionary.labels();
        int nodes = 2 * labels - 1;
        left = new int[nodes];
        right = new int[nodes];
        parent = new int[nodes];
        long[] counts = new long[nodes];
        Arrays.fill(counts, UNBUILT);
        for (int label = 0; label < labels; label++) {
            counts[label] = dictionary.labelCount(label);
        }
        // Labels come by falling count, so the two smallest are at the end of the leaves or the front of the inner
        // nodes.
        int leaf = labels - 1;
        int inner = labels;
        for (int node = labels; node < nodes; node++) {
            left[node] = leaf >= 0 && counts[leaf] < counts[inner] ? leaf-- : inner++;
            right[node] = leaf >= 0 && counts[leaf] < counts[inner] ? leaf-- : inner++;
            counts[node] = counts[left[node]] + counts[right[node]];
            parent[left[node]] = node;
            parent[right[node]] = node;
        }
    }

    @Override
    public void best(float[] hidden, Best best) {
        descend(2 * labels - 2, 0, hidden, best);
    }

    @Override
    public float logarithm(float[] hidden, int label) {
        float score = 0;
        for (int node = label; node < 2 * labels - 2; node = parent[node]) {
            float rightward = OutputLayer.sigmoid(OutputLayer.dot(weights, parent[node] - labels, hidden));
            boolean isRight = right[parent[node]] == node;
            score += OutputLayer.log(isRight ? rightward : (float) (1.0 - rightward));
        }
        return score;
    }

    private void descend(int node, float score, float[] hidden, Best best) {
        if (score < best.logarithm()) {
            return;
        }
        if (node < labels) {
            best.offer(node, score);
            return;
        }
        float rightward = OutputLayer.sigmoid(OutputLayer.dot(weights, node - labels, hidden));
        descend(left[node], score + OutputLayer.log((float) (1.0 - rightward)), hidden, best);
        descend(right[node], score + OutputLayer.log(rightward), hidden, best);
    }
}
