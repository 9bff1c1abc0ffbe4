package org.quern.corpus.fasttext;

/// Labels scored each on its own (trained one against all, or by negative sampling), by the table of 512
/// steps on [-8, 8] that fastText uses.
record Sigmoids(Matrix weights) implements OutputLayer {
    private static final int STEPS = 512;
    private static final int LIMIT = 8;
    private static final float[] TABLE = new float[STEPS + 1];

    static {
        for (int i = 0; i <= STEPS; i++) {
            float x = (float) (i * 2 * LIMIT) / STEPS - LIMIT;
            TABLE[i] = (float) (1.0 / (1.0 + (float) Math.exp(-x)));
        }
    }

    @Override
    public void best(float[] hidden, Best best) {
        for (int label = 0; label < weights.rows(); label++) {
            best.offer(label, logarithm(hidden, label));
        }
    }

    @Override
    public float logarithm(float[] hidden, int label) {
        return OutputLayer.log(sigmoid(OutputLayer.dot(weights, label, hidden)));
    }

    private static float sigmoid(float x) {
        if (x < -LIMIT) {
            return 0;
        }
        return x > LIMIT ? 1 : TABLE[(int) ((x + LIMIT) * STEPS / LIMIT / 2)];
    }
}
