package org.quern.corpus.language;

import java.util.Optional;
import java.util.Set;
import org.quern.corpus.Page;
import org.quern.corpus.Stage;
import org.quern.corpus.Verdict;
import org.quern.corpus.fasttext.FastTextModel;

/// Writes a page's language and its score, and keeps the pages in wanted languages that score enough.
///
/// The reason of a drop is `language` or `language_score`; the value is the score, the evidence the language.
public final class LanguageStage implements Stage {
    public static final String NAME = "language";

    private final ThreadLocal<LanguageIdentifier> identifiers;
    private final Set<String> languages;
    private final double minScore;
    private final Excerpt excerpt;

    /// @param languages the model's labels to keep; empty for all
    /// @param minScore a page is kept above this score (FineWeb: 0.65)
    /// @param characters of a page that are read, in pieces from its beginning to its end; empty for all
    public LanguageStage(FastTextModel model, Set<String> languages, double minScore, Optional<Integer> characters) {
        identifiers = ThreadLocal.withInitial(() -> new LanguageIdentifier(model));
        this.languages = Set.copyOf(languages);
        this.minScore = minScore;
        excerpt = new Excerpt(characters.orElse(Integer.MAX_VALUE));
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Verdict apply(Page page) {
        LanguageIdentifier.Identified identified = identifiers.get().identify(excerpt.of(page.text()));
        String language = identified.language();
        if (!languages.isEmpty() && !languages.contains(language)) {
            return new Verdict.Dropped("language", identified.score(), language);
        }
        return identified.score() > minScore
                ? new Verdict.Kept(page.withLanguage(language, identified.score()))
                : new Verdict.Dropped("language_score", identified.score(), language);
    }
}
