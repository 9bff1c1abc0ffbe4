package org.quern.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.config.TokenizerSection;
import org.quern.data.CorpusReader;
import org.quern.data.Document;
import org.quern.data.PathPatterns;
import org.quern.data.PrepareData;
import org.quern.data.TextEncoder;
import org.quern.data.TokenShards;
import org.quern.data.TokenizedCorpus;
import org.quern.tokenizer.BpeTrainer;
import org.quern.tokenizer.Encoder;
import org.quern.tokenizer.TokenBuffer;
import org.quern.tokenizer.Tokenizer;

/// The tokenizer and the token shards of a run. What is made from text is kept in the run's folder and not made
/// again.
///
/// @param tokenizer absent where the data are ids and nobody said what they stand for
public record RunData(Optional<Tokenizer> tokenizer, TokenShards train, Optional<TokenShards> validation) {
    /// A document ends with it; what a tokenizer without one puts between documents is for its user to say.
    private static final String NO_END_OF_TEXT =
            "%s: the tokenizer must have an end-of-text token, which goes between documents: found none";

    private static final double DEFAULT_VALIDATION_FRACTION = 0.05;

    /// Told how far the preparation is.
    public interface Progress {
        void update(String what, long done, long total);
    }

    /// Opens the data of a run, and makes first what is missing.
    public static RunData open(RunConfig config, Path run, int threads, Progress progress) {
        RunConfig.Data data = config.data();
        if (data.text().isPresent()) {
            List<Path> files = textFiles(data.text().get());
            Tokenizer tokenizer = config.tokenizer()
                    .train()
                    .map(training -> trained(training, files, run.resolve("data"), threads, progress))
                    .orElseGet(() -> Tokenizer.read(config.tokenizer().file().orElseThrow()));
            PrepareData prepare = new PrepareData(
                    encoder(tokenizer, config),
                    run.resolve("data"),
                    threads,
                    (done, total) -> progress.update("tokenizing", done, total));
            PrepareData.Validation validation = data.validation()
                    .<PrepareData.Validation>map(paths -> new PrepareData.Validation.TextFiles(textFiles(paths)))
                    .orElseGet(() -> new PrepareData.Validation.Fraction(
                            data.validationFraction().orElse(DEFAULT_VALIDATION_FRACTION),
                            config.run().seed()));
            TokenizedCorpus corpus = prepare.prepare(files, validation);
            return new RunData(Optional.of(tokenizer), corpus.train(), Optional.of(corpus.validation()));
        }
        Optional<Tokenizer> tokenizer = config.tokenizer().file().map(Tokenizer::read);
        if (data.shards().isPresent()) {
            Path folder = data.shards().get();
            String hash = tokenizer
                    .map(Tokenizer::hash)
                    .orElseThrow(() -> QuernException.data("data.shards needs tokenizer.file, whose hash they carry"));
            return new RunData(
                    tokenizer,
                    TokenShards.open(folder.resolve("train"), hash),
                    Optional.of(TokenShards.open(folder.resolve("validation"), hash)));
        }
        int vocabSize = tokenizer
                .map(Tokenizer::vocabSize)
                .orElseGet(() -> config.tokenizer().vocabSize().orElseThrow());
        int endOfText = tokenizer
                .map(known -> known.endOfText().orElse(-1))
                .orElseGet(() -> config.tokenizer().endOfText().orElse(-1));
        return new RunData(
                tokenizer,
                TokenShards.openLlmc(binFiles(data.train().orElseThrow()), vocabSize, endOfText),
                data.validation().map(paths -> TokenShards.openLlmc(binFiles(paths), vocabSize, endOfText)));
    }

    /// Ids are below this.
    public int vocabSize() {
        return tokenizer.map(Tokenizer::vocabSize).orElseGet(train::vocabSize);
    }

    private static List<Path> textFiles(List<Path> paths) {
        return files(paths, CorpusReader.SUFFIXES);
    }

    private static List<Path> binFiles(List<Path> paths) {
        return files(paths, List.of(".bin"));
    }

    private static List<Path> files(List<Path> paths, List<String> suffixes) {
        return PathPatterns.files(paths.stream().map(Path::toString).toList(), Path.of(""), suffixes);
    }

    private static TextEncoder encoder(Tokenizer tokenizer, RunConfig config) {
        int endOfText = tokenizer
                .endOfText()
                .orElseThrow(() -> QuernException.data(NO_END_OF_TEXT.formatted(
                        config.tokenizer().file().map(Path::toString).orElse("tokenizer.train"))));
        ThreadLocal<Encoder> encoders = ThreadLocal.withInitial(tokenizer::encoder);
        return new TextEncoder() {
            @Override
            public int[] encode(byte[] utf8) {
                TokenBuffer tokens = new TokenBuffer();
                encoders.get().encode(utf8, 0, utf8.length, tokens);
                return tokens.toArray();
            }

            @Override
            public int vocabSize() {
                return tokenizer.vocabSize();
            }

            @Override
            public int endOfText() {
                return endOfText;
            }

            @Override
            public String hash() {
                return tokenizer.hash();
            }
        };
    }

    /// The tokenizer of a recipe: found in the folder, or trained and put there.
    private static Tokenizer trained(
            TokenizerSection.Training training, List<Path> files, Path folder, int threads, Progress progress) {
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
                        .train(documents(reader), (done, total) -> progress.update("training tokenizer", done, total));
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
            recipe.append(file.getFileName())
                    .append(' ')
                    .append(Files.size(file))
                    .append(' ')
                    .append(Files.getLastModifiedTime(file).toMillis())
                    .append('\n');
        }
        return recipe.toString();
    }

    private static Iterator<byte[]> documents(CorpusReader reader) {
        return new Iterator<>() {
            private Document next = reader.next();

            @Override
            public boolean hasNext() {
                return next != null;
            }

            @Override
            public byte[] next() {
                if (next == null) {
                    throw new NoSuchElementException();
                }
                byte[] utf8 = next.text();
                next = reader.next();
                return utf8;
            }
        };
    }
}
