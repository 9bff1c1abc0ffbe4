package org.quern.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.quern.base.QuernException;
import org.quern.config.DataSection;
import org.quern.config.RunConfig;
import org.quern.config.TokenizerSection;
import org.quern.data.CorpusReader;
import org.quern.data.DocumentSource;
import org.quern.data.PathPatterns;
import org.quern.data.PrepareData;
import org.quern.data.TokenShards;
import org.quern.data.TokenizedCorpus;
import org.quern.tokenizer.BpeTrainer;
import org.quern.tokenizer.Tokenizer;

/// The tokenizer and the tokens of a run. What is made from text is kept in the run's folder and not made again.
///
/// @param tokenizer absent where the data are ids and nobody said what they stand for
/// @param vocabSize ids are below this
/// @param corpora of the sources, in their order
record RunData(Optional<Tokenizer> tokenizer, int vocabSize, List<TokenizedCorpus> corpora) {
    private static final double DEFAULT_VALIDATION_FRACTION = 0.05;

    /// An id that no token has: for data that do not say which token ends a document.
    private static final int NO_TOKEN = -1;

    private static final List<String> BIN = List.of(".bin");

    /// Opens the data of a run, and makes first what is missing.
    static RunData open(RunConfig config, Path run, int threads, Preparation preparation) {
        Path folder = run.resolve("data");
        List<DataSection.Source> sources = config.data().all();
        TokenizerSection section = config.tokenizer();
        Optional<Tokenizer> tokenizer = section.train()
                .map(training -> trained(training, texts(sources), folder, threads, preparation))
                .or(() -> section.file().map(Tokenizer::read));
        int vocabSize = tokenizer
                .map(Tokenizer::vocabSize)
                .orElseGet(() -> section.vocabSize().orElseThrow());
        List<TokenizedCorpus> corpora = new ArrayList<>();
        for (DataSection.Source source : sources) {
            corpora.add(
                    source.train().isPresent()
                            ? llmc(source, section, tokenizer, vocabSize)
                            : corpus(
                                    source,
                                    tokenizer.orElseThrow(),
                                    folder.resolve(source.name()),
                                    config.run().seed(),
                                    threads,
                                    preparation));
        }
        return new RunData(tokenizer, vocabSize, List.copyOf(corpora));
    }

    /// How many tokens each source has to train on, as far as is known without making them.
    static List<OptionalLong> tokensThere(RunConfig config, Path run) {
        return config.data().all().stream()
                .map(source -> source.train().isPresent()
                        ? llmcTokens(source.train().get())
                        : TokenizedCorpus.trainTokens(source.shards()
                                .orElseGet(() -> run.resolve("data").resolve(source.name()))))
                .toList();
    }

    private static OptionalLong llmcTokens(List<Path> patterns) {
        return PathPatterns.anyMissing(patterns, BIN)
                ? OptionalLong.empty()
                : OptionalLong.of(TokenizedCorpus.openLlmc(binFiles(patterns), List.of(), Integer.MAX_VALUE, NO_TOKEN)
                        .train()
                        .tokens());
    }

    /// Of all training data.
    String fingerprint() {
        return TokenShards.fingerprint(
                corpora.stream().map(TokenizedCorpus::train).toList());
    }

    private static TokenizedCorpus llmc(
            DataSection.Source source, TokenizerSection section, Optional<Tokenizer> tokenizer, int vocabSize) {
        int endOfText = tokenizer
                .map(known -> known.endOfText().orElse(NO_TOKEN))
                .orElseGet(() -> section.endOfText().orElse(NO_TOKEN));
        return TokenizedCorpus.openLlmc(
                binFiles(source.train().orElseThrow()),
                source.validation().map(RunData::binFiles).orElse(List.of()),
                vocabSize,
                endOfText);
    }

    /// @param folder for tokens of text
    private static TokenizedCorpus corpus(
            DataSection.Source source,
            Tokenizer tokenizer,
            Path folder,
            long seed,
            int threads,
            Preparation preparation) {
        if (source.shards().isPresent()) {
            return TokenizedCorpus.open(source.shards().get(), tokenizer);
        }
        String what = ("tokenizing " + source.name()).strip();
        PrepareData prepare =
                new PrepareData(tokenizer, folder, threads, (done, total) -> preparation.update(what, done, total));
        PrepareData.Validation validation = source.validation()
                .<PrepareData.Validation>map(
                        paths -> new PrepareData.Validation.Others(new DocumentSource.TextFiles(textFiles(paths))))
                .orElseGet(() -> new PrepareData.Validation.Fraction(
                        source.validationFraction().orElse(DEFAULT_VALIDATION_FRACTION), seed));
        return prepare.prepare(
                new DocumentSource.TextFiles(textFiles(source.text().orElseThrow())), validation);
    }

    /// What a tokenizer is trained on: the text of all sources, whatever their weights.
    private static List<Path> texts(List<DataSection.Source> sources) {
        return textFiles(sources.stream()
                .flatMap(source -> source.text().orElseThrow().stream())
                .toList());
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
            throw QuernException.io("%s: the tokenizer cannot be kept there".formatted(folder), e);
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
        return PathPatterns.files(paths, BIN);
    }
}
