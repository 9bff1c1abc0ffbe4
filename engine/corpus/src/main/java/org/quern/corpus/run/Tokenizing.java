package org.quern.corpus.run;

import java.nio.file.Path;
import org.quern.config.TokenizerSection.Training;
import org.quern.corpus.CorpusConfig;
import org.quern.data.DocumentReader;
import org.quern.data.PrepareData;
import org.quern.data.TokenizedCorpus;
import org.quern.tokenizer.BpeTrainer;
import org.quern.tokenizer.Tokenizer;

/// Makes token shards of a corpus, and first the tokenizer if it is to be trained on it.
final class Tokenizing {
    private Tokenizing() {}

    /// @param folder for the shards and `tokenizer.json`
    /// @return how many tokens there are
    static CorpusReport.Tokens tokenize(
            CorpusConfig.Tokens config, CorpusDocuments documents, Path folder, int threads, CorpusProgress progress) {
        Tokenizer tokenizer = config.tokenizer()
                .file()
                .map(Tokenizer::read)
                .orElseGet(() -> trained(config.tokenizer().train().orElseThrow(), documents, threads, progress));
        tokenizer.write(folder.resolve("tokenizer.json"));
        PrepareData prepare = new PrepareData(
                tokenizer, folder, threads, (done, total) -> progress.update("tokenizing", 0, done, total));
        TokenizedCorpus tokens = prepare.prepare(
                documents, new PrepareData.Validation.Fraction(config.validationFraction(), config.seed()));
        return new CorpusReport.Tokens(
                tokenizer.vocabSize(),
                tokens.train().tokens(),
                tokens.validation().orElseThrow().tokens());
    }

    private static Tokenizer trained(
            Training training, CorpusDocuments documents, int threads, CorpusProgress progress) {
        progress.update("training the tokenizer", 0, 0, 0);
        try (DocumentReader reader = documents.open()) {
            return new BpeTrainer(training.pattern(), training.vocabSize(), training.specialTokens(), threads)
                    .train(reader.texts(), (_, _) -> {});
        }
    }
}
