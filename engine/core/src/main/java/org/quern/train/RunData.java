package org.quern.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.config.TokenizerSection;
import org.quern.data.CorpusReader;
import org.quern.data.DocumentSource;
import org.quern.data.PathPatterns;
import org.quern.data.PrepareData;
import org.quern.data.TokenizedCorpus;
import org.quern.tokenizer.BpeTrainer;
import org.quern.tokenizer.Tokenizer;

/// The tokenizer and the tokens of a run. What is made from text is kept in the run's folder and not made again.
///
/// @param tokenizer absent where the data are ids and nobody said what they stand for
/// @param vocabSize ids are below this
record RunData(Optional<Tokenizer> tokenizer, int vocabSize, TokenizedCorpus corpus) {
    private static final double DEFAULT_VALIDATION_FRACTION = 0.05;

    /// An id that no token has: for data that do not say which token ends a document.
    private static final int NO_TOKEN = -1;

    /// Opens the data of a run, and makes first what is missing.
    static RunData open(RunConfig config, Path run, int threads, Preparation preparation) {
        RunConfig.Data data = config.data();
        TokenizerSection section = config.tokenizer();
        if (data.text().isPresent()) {
            return fromText(config, data.text().get(), run.resolve("data"), threads, preparation);
        }
        Optional<Tokenizer> tokenizer = section.file().map(Tokenizer::read);
        if (data.shards().isPresent()) {
            Tokenizer known = tokenizer.orElseThrow(() -> QuernException.data(
                    "data.shards needs tokenizer.file: the shards carry the hash of the tokenizer that made them"));
            return new RunData(
                    tokenizer,
                    known.vocabSize(),
                    TokenizedCorpus.open(data.shards().get(), known));
        }
        int vocabSize = tokenizer
                .map(Tokenizer::vocabSize)
                .orElseGet(() -> section.vocabSize().orElseThrow());
        int endOfText = tokenizer
                .map(known -> known.endOfText().orElse(NO_TOKEN))
                .orElseGet(() -> section.endOfText().orElse(NO_TOKEN));
        return new RunData(
                tokenizer,
                vocabSize,
                TokenizedCorpus.openLlmc(
                        binFiles(data.train().orElseThrow()),
                        data.validation().map(RunData::binFiles).orElse(List.of()),
                        vocabSize,
                        endOfText));
    }

    private static RunData fromText(
            RunConfig config, List<Path> texts, Path folder, int threads, Preparation preparation) {
        List<Path> files = textFiles(texts);
        TokenizerSection section = config.tokenizer();
        Tokenizer tokenizer = section.train()
                .map(training -> trained(training, files, folder, threads, preparation))
                .orElseGet(() -> Tokenizer.read(section.file().orElseThrow()));
        PrepareData prepare = new PrepareData(
                tokenizer, folder, threads, (done, total) -> preparation.update("tokenizing", done, total));
        PrepareData.Validation validation = config.data()
                .validation()
                .<PrepareData.Validation>map(
                        paths -> new PrepareData.Validation.Others(new DocumentSource.TextFiles(textFiles(paths))))
                .orElseGet(() -> new PrepareData.Validation.Fraction(
                        config.data().validationFraction().orElse(DEFAULT_VALIDATION_FRACTION),
                        config.run().seed()));
        return new RunData(
                Optional.of(tokenizer),
                tokenizer.vocabSize(),
                prepare.prepare(new DocumentSource.TextFiles(files), validation));
    }

    /// The tokenizer of a recipe: found in the folder, or trained and put there.
    private static Tokenizer trained(
            TokenizerSection.Training training, List<Path> files, Path folder, int threads, Preparation preparation) {
        Path file = folder.resolve("tokenizer.json");
        Path recipeFile = folder.resolve("tokenizer.recipe");
        try {
            String recipe = recipe(training, files);
            if (Files.exists(recipeFile) && Files.readString(recipeFile).equals(recipe)) {
                return Tokenizer.read(file);
            }
            Files.createDirectories(folder);
            Files.deleteIfExists(recipeFile);
            try (CorpusReader reader = new CorpusReader(files)) {
                Tokenizer tokenizer = new BpeTrainer(
                                training.pattern(), training.vocabSize(), training.specialTokens(), threads)
                        .train(
                                reader.texts(),
                                (done, total) -> preparation.update("training the tokenizer", done, total));
                tokenizer.write(file);
                Files.writeString(recipeFile, recipe);
                return tokenizer;
            }
        } catch (IOException e) {
            throw QuernException.io("%s: the tokenizer cannot be kept there: %s".formatted(folder, e.getMessage()), e);
        }
    }

    private static String recipe(TokenizerSection.Training training, List<Path> files) throws IOException {
        StringBuilder recipe = new StringBuilder(training.toString()).append('\n');
        for (Path file : files) {
            recipe.append("%s %d bytes, changed %s%n"
                    .formatted(file.getFileName(), Files.size(file), Files.getLastModifiedTime(file)));
        }
        return recipe.toString();
    }

    private static List<Path> textFiles(List<Path> paths) {
        return PathPatterns.files(paths, CorpusReader.SUFFIXES);
    }

    private static List<Path> binFiles(List<Path> paths) {
        return PathPatterns.files(paths, List.of(".bin"));
    }
}
