package org.quern.corpus.quality;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.quern.base.QuernException;
import org.quern.corpus.fasttext.BinaryEvaluation;
import org.quern.corpus.fasttext.ClassifierTrainer;
import org.quern.corpus.fasttext.ClassifierTrainer.Example;
import org.quern.corpus.fasttext.FastTextModel;
import org.quern.data.Sha256;

/// Trains a model that tells good texts from others, and measures it on texts that it has not seen: which those are,
/// a hash of the text says, so that a text that comes twice is not on both sides.
///
/// @param model to be used by [org.quern.corpus.filter.LearnedQuality]
/// @param trained texts that it was trained on
/// @param repeated texts that were left out, as they came before
/// @param evaluation on the texts held out
public record QualityTrainer(FastTextModel model, int trained, int repeated, BinaryEvaluation evaluation) {
    /// The label of good texts.
    public static final String POSITIVE = "positive";

    private static final String NEGATIVE = "negative";
    private static final double HASHES = 1L << 32;

    /// Trains on all texts but those held out.
    ///
    /// @param positive texts of the kind to be kept
    /// @param negative texts of all other kinds
    /// @param heldOut the share of the texts to measure with
    /// @throws QuernException if a text has both labels, or there are too few to train or to measure
    public static QualityTrainer train(
            List<String> positive,
            List<String> negative,
            double heldOut,
            ClassifierTrainer.Settings settings,
            ClassifierTrainer.Progress progress) {
        Set<String> good = new LinkedHashSet<>(positive);
        Set<String> others = new LinkedHashSet<>(negative);
        Set<String> both = new HashSet<>(good);
        both.retainAll(others);
        if (!both.isEmpty()) {
            String text = both.stream().sorted().findFirst().orElseThrow();
            throw QuernException.data(
                    "%,d texts are both positive and negative, such as \"%s\": nothing can be learnt from them, so take them out of one"
                            .formatted(both.size(), text.substring(0, Math.min(text.length(), 60))));
        }
        List<Example> training = new ArrayList<>();
        List<Example> measuring = new ArrayList<>();
        good.forEach(text -> (isHeldOut(text, heldOut) ? measuring : training).add(new Example(POSITIVE, text)));
        others.forEach(text -> (isHeldOut(text, heldOut) ? measuring : training).add(new Example(NEGATIVE, text)));
        requireBoth(training, "train on", good.size(), others.size());
        requireBoth(measuring, "measure with", good.size(), others.size());
        FastTextModel model = ClassifierTrainer.train(training, settings, progress);
        return new QualityTrainer(
                model,
                training.size(),
                positive.size() + negative.size() - good.size() - others.size(),
                BinaryEvaluation.of(model, POSITIVE, measuring));
    }

    private static boolean isHeldOut(String text, double share) {
        long hash = ByteBuffer.wrap(Sha256.of(text.getBytes(StandardCharsets.UTF_8)))
                        .getInt()
                & 0xffffffffL;
        return hash < share * HASHES;
    }

    private static void requireBoth(List<Example> examples, String what, int positive, int negative) {
        for (String label : List.of(POSITIVE, NEGATIVE)) {
            if (examples.stream().noneMatch(example -> example.label().equals(label))) {
                throw QuernException.data(
                        "there is no %s text to %s: %,d different positive and %,d negative texts are too few, or the share held out leaves none"
                                .formatted(label, what, positive, negative));
            }
        }
    }
}
