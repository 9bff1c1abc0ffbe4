package org.quern.corpus.filter;

import java.util.Optional;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;
import org.quern.corpus.fasttext.FastTextModel;
import org.quern.corpus.fasttext.TextClassifier;

/// Keeps pages that a trained classifier gives a label with enough confidence, and notes that as score
/// `quality`. Any model of fastText serves: one trained here, or DCLM's.
public final class LearnedQuality implements Stage {
    private static final String NAME = "quality";

    private final ThreadLocal<TextClassifier> classifiers;
    private final int label;
    private final Optional<Double> minScore;

    /// @param label that pages are kept for, without `__label__`
    /// @param minScore pages that score less are dropped
    /// @throws org.quern.base.QuernException when the model does not know the label
    public LearnedQuality(FastTextModel model, String label, double minScore) {
        classifiers = ThreadLocal.withInitial(() -> new TextClassifier(model));
        this.label = model.labelNumber(label);
        this.minScore = Optional.of(minScore);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Verdict apply(Page page) {
        double score = classifiers.get().score(page.text(), label);
        return new Rules().atLeast("low_quality", score, minScore).verdict(page.withScore(NAME, score));
    }
}
