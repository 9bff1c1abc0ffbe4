package org.quern.corpus.fasttext;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.quern.base.Philox;
import org.quern.base.QuernException;

/// Trains a classifier of texts as fastText does ("Bag of Tricks for Efficient Text Classification", Joulin
/// et al., 2016): the mean of the rows of a text's words and hashed word n-grams, a linear layer, softmax,
/// stochastic gradient descent with a falling learning rate. One thread and a seeded order: the same
/// examples give the same file, which fastText reads too.
public final class ClassifierTrainer {
    private static final int STREAM_ORDER = 1;
    private static final int STREAM_WEIGHTS = 2;
    private static final int SOFTMAX = 3;
    private static final Comparator<Map.Entry<String, long[]>> BY_FALLING_COUNT = Comparator.comparingLong(
                    (Map.Entry<String, long[]> entry) -> -entry.getValue()[0])
            .thenComparing(Map.Entry::getKey);

    private final Settings settings;
    private final FastTextModel.Settings shape;
    private Dictionary dictionary;
    private Matrix input;
    private Matrix output;

    /// @param label of the text, without spaces
    public record Example(String label, String text) {}

    /// @param dimension of a row
    /// @param wordNgrams the longest n-grams of words
    /// @param buckets that n-grams are hashed to
    /// @param minCount words seen less often are not known
    /// @param epochs passes over the examples
    /// @param learningRate at the start; it falls to zero in a line
    /// @param seed of the order and of the weights at the start
    public record Settings(
            int dimension, int wordNgrams, int buckets, int minCount, int epochs, double learningRate, long seed) {
        public static final Settings DEFAULT = new Settings(16, 2, 1 << 18, 2, 10, 0.5, 1);

        public Settings {
            if (dimension < 1 || wordNgrams < 1 || buckets < 1 || minCount < 1 || epochs < 1 || !(learningRate > 0)) {
                throw QuernException.data(
                        "a classifier needs a dimension, n-grams, buckets, counts, epochs and a learning rate"
                                + " above zero: got " + dimension + ", " + wordNgrams + ", " + buckets + ", " + minCount
                                + ", " + epochs
                                + ", " + learningRate);
            }
        }
    }

    /// Told after each example how many are done, of how many, with all epochs.
    @FunctionalInterface
    public interface Progress {
        void update(long done, long total);
    }

    private ClassifierTrainer(Settings settings) {
        this.settings = settings;
        shape = new FastTextModel.Settings(settings.dimension, settings.wordNgrams, SOFTMAX, settings.buckets, 0, 0);
    }

    /// Trains a model.
    ///
    /// @throws QuernException when there are fewer than two labels, or a label has spaces
    public static FastTextModel train(List<Example> examples, Settings settings, Progress progress) {
        ClassifierTrainer trainer = new ClassifierTrainer(settings);
        trainer.dictionary = trainer.count(examples);
        trainer.fit(examples, progress);
        return FastTextModel.trained(trainer.shape, trainer.dictionary, trainer.input, trainer.output);
    }

    private Dictionary count(List<Example> examples) {
        Map<String, long[]> words = new HashMap<>();
        Map<String, long[]> labels = new HashMap<>();
        for (Example example : examples) {
            if (example.label.isEmpty() || example.label.chars().anyMatch(Character::isWhitespace)) {
                throw QuernException.data("a label is a word without spaces, got '" + example.label + "'");
            }
            labels.computeIfAbsent(example.label, label -> new long[1])[0]++;
            Features.words(example.text).forEach(word -> words.computeIfAbsent(word, key -> new long[1])[0]++);
        }
        if (labels.size() < 2) {
            throw QuernException.data("a classifier needs examples of two labels at least, got " + labels.keySet());
        }
        words.values().removeIf(count -> count[0] < settings.minCount);
        words.keySet().removeIf(word -> word.startsWith("__label__"));
        words.put("</s>", new long[] {examples.size()});
        List<byte[]> entries = new ArrayList<>();
        List<Long> counts = new ArrayList<>();
        words.entrySet().stream().sorted(BY_FALLING_COUNT).forEach(word -> {
            entries.add(word.getKey().getBytes(StandardCharsets.UTF_8));
            counts.add(word.getValue()[0]);
        });
        labels.entrySet().stream().sorted(BY_FALLING_COUNT).forEach(label -> {
            entries.add(("__label__" + label.getKey()).getBytes(StandardCharsets.UTF_8));
            counts.add(label.getValue()[0]);
        });
        NgramRows rows = new NgramRows.All(settings.buckets, words.size());
        return new Dictionary(
                entries.toArray(byte[][]::new),
                counts.stream().mapToLong(Long::longValue).toArray(),
                words.size(),
                rows);
    }

    private void fit(List<Example> examples, Progress progress) {
        int dimension = settings.dimension;
        long rows = (long) dictionary.words() + settings.buckets;
        if (rows * dimension > Integer.MAX_VALUE - 8) {
            throw QuernException.data(
                    rows + " rows of " + dimension + " are too many: use fewer buckets or a smaller dimension");
        }
        float[] weights = new float[Math.toIntExact(rows * dimension)];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = (float) ((2 * Philox.uniform(settings.seed, STREAM_WEIGHTS, 0, i) - 1) / dimension);
        }
        input = new Matrix((int) rows, dimension, weights);
        output = new Matrix(dictionary.labels(), dimension, new float[dictionary.labels() * dimension]);
        Map<String, Integer> numbers = new HashMap<>();
        for (int label = 0; label < dictionary.labels(); label++) {
            numbers.put(dictionary.label(label), label);
        }
        Features features = new Features(dictionary, shape);
        Step step = new Step();
        long steps = (long) settings.epochs * examples.size();
        long done = 0;
        for (int epoch = 0; epoch < settings.epochs; epoch++) {
            for (int index : order(examples.size(), epoch)) {
                features.read(examples.get(index).text);
                double rate = settings.learningRate * (1 - (double) done++ / steps);
                step.take(features, numbers.get(examples.get(index).label), (float) rate);
                progress.update(done, steps);
            }
        }
    }

    private int[] order(int count, int epoch) {
        int[] order = new int[count];
        Arrays.setAll(order, i -> i);
        for (int i = count - 1; i > 0; i--) {
            int other = (int) Math.unsignedMultiplyHigh(Philox.bits(settings.seed, STREAM_ORDER, epoch, i), i + 1L);
            int swapped = order[i];
            order[i] = order[other];
            order[other] = swapped;
        }
        return order;
    }

    /// A step of gradient descent on one example.
    private final class Step {
        private final float[] hidden = new float[settings.dimension];
        private final float[] gradient = new float[settings.dimension];
        private final float[] shares = new float[dictionary.labels()];

        void take(Features features, int target, float rate) {
            average(features);
            softmax();
            Arrays.fill(gradient, 0);
            float[] layer = output.values();
            for (int label = 0; label < shares.length; label++) {
                float step = rate * ((label == target ? 1 : 0) - shares[label]);
                for (int i = 0; i < hidden.length; i++) {
                    gradient[i] += step * layer[label * hidden.length + i];
                    layer[label * hidden.length + i] += step * hidden[i];
                }
            }
            for (int row = 0; row < features.count(); row++) {
                int from = features.row(row) * hidden.length;
                for (int i = 0; i < hidden.length; i++) {
                    input.values()[from + i] += gradient[i] / features.count();
                }
            }
        }

        private void average(Features features) {
            Arrays.fill(hidden, 0);
            for (int row = 0; row < features.count(); row++) {
                int from = features.row(row) * hidden.length;
                for (int i = 0; i < hidden.length; i++) {
                    hidden[i] += input.values()[from + i];
                }
            }
            for (int i = 0; i < hidden.length; i++) {
                hidden[i] /= features.count();
            }
        }

        private void softmax() {
            float largest = Float.NEGATIVE_INFINITY;
            for (int label = 0; label < shares.length; label++) {
                shares[label] = OutputLayer.dot(output, label, hidden);
                largest = Math.max(largest, shares[label]);
            }
            float sum = 0;
            for (int label = 0; label < shares.length; label++) {
                shares[label] = (float) Math.exp(shares[label] - largest);
                sum += shares[label];
            }
            for (int label = 0; label < shares.length; label++) {
                shares[label] /= sum;
            }
        }
    }
}
