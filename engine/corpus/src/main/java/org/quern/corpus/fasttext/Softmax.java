package org.quern.corpus.fasttext;

/// Labels that exclude each other, all of them scored.
record Softmax(Matrix weights) implements OutputLayer {
    @Override
    public void best(float[] hidden, Best best) {
        // Two passes over the rows instead of a buffer of scores: labels are few, and a layer is shared by threads.
        float largest = Float.NEGATIVE_INFINITY;
        for (int label = 0; label < weights.rows(); label++) {
            largest = Math.max(largest, OutputLayer.dot(weights, label, hidden));
        }
        float sum = 0;
        int winner = 0;
        float top = 0;
        for (int label = 0; label < weights.rows(); label++) {
            float exponential = (float) Math.exp(OutputLayer.dot(weights, label, hidden) - largest);
            sum += exponential;
            if (exponential >= top) {
                winner = label;
                top = exponential;
            }
        }
        best.offer(winner, OutputLayer.log(top / sum));
    }

    @Override
    public float logarithm(float[] hidden, int label) {
        float sum = 0;
        float own = OutputLayer.dot(weights, label, hidden);
        for (int other = 0; other < weights.rows(); other++) {
            sum += (float) Math.exp(OutputLayer.dot(weights, other, hidden) - own);
        }
        return OutputLayer.log(1 / sum);
    }
}
