package org.quern.corpus.fasttext;

import java.util.Arrays;
import java.util.List;

/// How well a classifier's score of one label tells its texts from all others.
///
/// @param positives texts of the label
/// @param negatives other texts
/// @param precision the share of texts scored at least the threshold that are of the label; NaN if there
///     are none
/// @param recall the share of texts of the label that are scored at least the threshold
/// @param auc the chance that a text of the label scores higher than another one (area under the ROC curve)
public record BinaryEvaluation(int positives, int negatives, double precision, double recall, double auc) {
    /// @throws org.quern.base.QuernException when the model does not know the label
    public static BinaryEvaluation of(
            FastTextModel model, String label, double threshold, List<ClassifierTrainer.Example> examples) {
        TextClassifier classifier = new TextClassifier(model);
        int number = model.labelNumber(label);
        double[] positive = scores(classifier, number, examples, label, true);
        double[] negative = scores(classifier, number, examples, label, false);
        long found = Arrays.stream(positive).filter(score -> score >= threshold).count();
        long wrong = Arrays.stream(negative).filter(score -> score >= threshold).count();
        return new BinaryEvaluation(
                positive.length,
                negative.length,
                (double) found / (found + wrong),
                (double) found / positive.length,
                auc(positive, negative));
    }

    private static double[] scores(
            TextClassifier classifier,
            int number,
            List<ClassifierTrainer.Example> examples,
            String label,
            boolean positive) {
        return examples.stream()
                .filter(example -> example.label().equals(label) == positive)
                .mapToDouble(example -> classifier.score(example.text(), number))
                .sorted()
                .toArray();
    }

    /// Pairs in the right order, those with equal scores by half, of all pairs.
    private static double auc(double[] positive, double[] negative) {
        double pairs = 0;
        int below = 0;
        int notAbove = 0;
        for (double score : positive) {
            while (below < negative.length && negative[below] < score) {
                below++;
            }
            while (notAbove < negative.length && negative[notAbove] <= score) {
                notAbove++;
            }
            pairs += below + (notAbove - below) / 2.0;
        }
        return pairs / positive.length / negative.length;
    }

    @Override
    public String toString() {
        return "precision %.4f, recall %.4f, AUC %.4f on %d texts of the label and %d others"
                .formatted(precision, recall, auc, positives, negatives);
    }
}
