package org.quern.corpus.fasttext;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/// How well a classifier's score of one label tells its texts from all others.
///
/// @param positive the scores of texts of the label, ascending
/// @param negative the scores of other texts, ascending
public record BinaryEvaluation(double[] positive, double[] negative) {
    /// What is kept from a score on.
    ///
    /// @param precision the share of texts kept that are of the label; 1 if none are kept
    /// @param recall the share of texts of the label that are kept
    /// @param negativesKept the share of other texts that are kept
    public record Cut(double threshold, double precision, double recall, double negativesKept) {
        /// The harmonic mean of precision and recall.
        public double f1() {
            return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
        }
    }

    /// @throws org.quern.base.QuernException when the model does not know the label
    public static BinaryEvaluation of(FastTextModel model, String label, List<ClassifierTrainer.Example> examples) {
        TextClassifier classifier = new TextClassifier(model);
        int number = model.labelNumber(label);
        return new BinaryEvaluation(
                scores(classifier, number, examples, label, true), scores(classifier, number, examples, label, false));
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

    /// The chance that a text of the label scores higher than another one (area under the ROC curve): pairs in the
    /// right order, those with equal scores by half, of all pairs.
    public double auc() {
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

    /// What scores at least the threshold.
    public Cut at(double threshold) {
        double found = positive.length - countBelow(positive, threshold);
        double wrong = negative.length - countBelow(negative, threshold);
        double precision = found + wrong == 0 ? 1 : found / (found + wrong);
        return new Cut(threshold, precision, found / positive.length, wrong / negative.length);
    }

    private static int countBelow(double[] scores, double threshold) {
        int low = 0;
        int high = scores.length;
        while (low < high) {
            int middle = low + high >>> 1;
            if (scores[middle] < threshold) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /// The cut with the highest F1.
    public Cut bestF1() {
        return cuts().max(Comparator.comparingDouble(Cut::f1)).orElseThrow();
    }

    /// The cut that keeps most of those that are as precise; empty if none is.
    public Optional<Cut> withPrecision(double precision) {
        return cuts().filter(cut -> cut.precision >= precision && cut.recall > 0)
                .max(Comparator.comparingDouble(Cut::recall).thenComparingDouble(Cut::precision));
    }

    /// The most precise cut that keeps as many.
    public Cut withRecall(double recall) {
        return cuts().filter(cut -> cut.recall >= recall)
                .max(Comparator.comparingDouble(Cut::precision).thenComparingDouble(Cut::recall))
                .orElseThrow();
    }

    private Stream<Cut> cuts() {
        return DoubleStream.of(positive).distinct().mapToObj(this::at);
    }
}
