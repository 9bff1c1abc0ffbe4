package org.quern.corpus.fasttext;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// Applies a model to texts: one thread's, with buffers that grow to the longest text and are used again.
public final class TextClassifier {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final String[] NO_LABELS = {};

    private final Features features;
    private final float[] rows;
    private final OutputLayer output;
    private final String[] labels;
    private final float[] hidden;
    private final OutputLayer.Best best = new OutputLayer.Best();

    public TextClassifier(FastTextModel model) {
        features = new Features(model.dictionary(), model.settings());
        rows = model.input().values();
        output = model.output();
        labels = model.labels().toList().toArray(NO_LABELS);
        hidden = new float[model.settings().dimension()];
    }

    /// Finds the best label of a text, which is taken as one line: line breaks are spaces. False when the
    /// model knows no part of it.
    public boolean classify(CharSequence line) {
        best.clear();
        if (!average(line)) {
            return false;
        }
        output.best(hidden, best);
        return true;
    }

    /// The label found by the last [#classify(CharSequence)], without its prefix.
    public String label() {
        return labels[best.label()];
    }

    /// The score of that label, in 0 to 1 (as in fastText, up to 1.00002).
    public float score() {
        return (float) Math.exp(best.logarithm());
    }

    /// The score of one label for a text; 0 when the model knows no part of it.
    ///
    /// @param label its number among [FastTextModel#labels()]
    public float score(CharSequence line, int label) {
        return average(line) ? (float) Math.exp(output.logarithm(hidden, label)) : 0;
    }

    /// The mean of a text's rows, or false when it has none.
    private boolean average(CharSequence line) {
        features.read(line);
        Arrays.fill(hidden, 0);
        for (int i = 0; i < features.count(); i++) {
            addRow(features.row(i));
        }
        float scale = (float) (1.0 / features.count());
        for (int i = 0; i < hidden.length; i++) {
            hidden[i] *= scale;
        }
        return features.count() > 0;
    }

    private void addRow(int row) {
        int from = row * hidden.length;
        int i = 0;
        for (; i <= hidden.length - SPECIES.length(); i += SPECIES.length()) {
            FloatVector.fromArray(SPECIES, hidden, i)
                    .add(FloatVector.fromArray(SPECIES, rows, from + i))
                    .intoArray(hidden, i);
        }
        for (; i < hidden.length; i++) {
            hidden[i] += rows[from + i];
        }
    }
}
