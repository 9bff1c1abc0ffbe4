package org.quern.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.LongConsumer;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.Philox;
import org.quern.base.QuernException;
import org.quern.tokenizer.Encoder;
import org.quern.tokenizer.TokenBuffer;
import org.quern.tokenizer.Tokenizer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Turns documents into token shards, `train/` and `validation/` of a folder. The shards are a function of the
/// documents, the tokenizer and the split alone, whatever the number of threads. What is made already is not
/// made again; what an interrupted run left is removed.
public final class PrepareData {
    private static final Logger LOG = LoggerFactory.getLogger(PrepareData.class);
    private static final int STREAM = 0x5B117;
    private static final long SHARD_TOKENS = 1L << 27;
    /// Documents are handed to threads in pieces of at least this size.
    private static final int CHUNK_BYTES = 1 << 18;
    private static final String OUR_FILES = "(\\d{5}\\.(tok|names)|manifest\\.json)(\\.tmp)?";

    /// What to hold out for validation.
    public sealed interface Validation {
        /// Each document by chance. The chance is a function of its text and `seed`, so the same text is never on
        /// both sides, and a document stays on its side when others come and go. Should a side stay empty, the
        /// document nearest to it goes there.
        record Fraction(double fraction, long seed) implements Validation {
            public Fraction {
                if (!(fraction > 0 && fraction < 1)) {
                    throw new IllegalArgumentException("fraction must be above 0 and below 1: got " + fraction);
                }
            }
        }

        /// Other documents.
        record Others(DocumentSource documents) implements Validation {}
    }

    /// Told how many bytes of the documents have become tokens, on the calling thread.
    @FunctionalInterface
    public interface Progress {
        void update(long done, long total);
    }

    /// A piece of a corpus, in order.
    private record Chunk(List<Document> documents, List<int[]> tokens, double[] chances) {}

    private final TokenKind kind;
    private final ThreadLocal<Encoder> encoders;
    private final Path folder;
    private final Path train;
    private final Path validation;
    private final int threads;
    private final Progress progress;
    private final long shardTokens;

    /// @param folder for the shards; it is made if need be
    public PrepareData(Tokenizer tokenizer, Path folder, int threads, Progress progress) {
        this(tokenizer, folder, threads, progress, SHARD_TOKENS);
    }

    PrepareData(Tokenizer tokenizer, Path folder, int threads, Progress progress, long shardTokens) {
        kind = TokenKind.of(tokenizer);
        encoders = ThreadLocal.withInitial(tokenizer::encoder);
        this.folder = folder;
        train = folder.resolve(TokenizedCorpus.TRAIN);
        validation = folder.resolve(TokenizedCorpus.VALIDATION);
        this.threads = threads;
        this.progress = progress;
        this.shardTokens = shardTokens;
    }

    /// Makes the shards, or finds them made and unharmed, and opens them. Of several processes with one folder, one
    /// makes them and the others wait.
    public TokenizedCorpus prepare(DocumentSource documents, Validation heldOut) {
        try {
            Files.createDirectories(folder);
            try (FileChannel lock = FileChannel.open(
                    folder.resolve("prepare.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                if (lock.tryLock() == null) {
                    LOG.info("{}: another process prepares the data, waiting for it", folder);
                    lock.lock();
                }
                String recipe = recipe(documents, heldOut);
                if (!isMade(recipe)) {
                    make(documents, heldOut, recipe);
                }
                return open();
            }
        } catch (IOException e) {
            throw QuernException.io(folder + ": data cannot be prepared", e);
        }
    }

    private boolean isMade(String recipe) {
        try {
            return isMade(train, recipe) && isMade(validation, recipe);
        } catch (QuernException e) {
            throw harmed(e);
        }
    }

    private static boolean isMade(Path split, String recipe) {
        return Files.exists(split.resolve(Manifest.FILE))
                && Manifest.read(split).recipe().equals(recipe);
    }

    private TokenizedCorpus open() {
        try {
            TokenizedCorpus corpus = new TokenizedCorpus(
                    TokenShards.open(train, kind.tokenizer()),
                    Optional.of(TokenShards.open(validation, kind.tokenizer())));
            corpus.train().verify(_ -> {});
            corpus.validation().orElseThrow().verify(_ -> {});
            return corpus;
        } catch (QuernException e) {
            throw harmed(e);
        }
    }

    private QuernException harmed(QuernException e) {
        return new QuernException(
                e.exitCode(), e.getMessage() + " (delete " + folder + " to have it made from the text again)", e);
    }

    private String recipe(DocumentSource documents, Validation heldOut) {
        StringBuilder text = new StringBuilder();
        text.append(Manifest.FORMAT).append(' ').append(Manifest.VERSION).append('\n');
        text.append(kind.tokenizer()).append(' ').append(kind.endOfText()).append('\n');
        text.append(shardTokens).append('\n');
        text.append(documents.identity());
        switch (heldOut) {
            case Validation.Fraction(double fraction, long seed) ->
                text.append("fraction ").append(fraction).append(" seed ").append(seed);
            case Validation.Others(DocumentSource others) ->
                text.append("files\n").append(others.identity());
        }
        return HexFormat.of().formatHex(Sha256.of(text.toString().getBytes(StandardCharsets.UTF_8)));
    }

    private void make(DocumentSource documents, Validation heldOut, String recipe) throws IOException {
        try (Output out = new Output(recipe)) {
            switch (heldOut) {
                case Validation.Others(DocumentSource others) -> {
                    long size = documents.bytes();
                    long total = size + others.bytes();
                    tokenize(documents, 0, 0, out, done -> progress.update(done, total));
                    tokenize(others, 0, 1, out, done -> progress.update(size + done, total));
                    out.finish(documents, others);
                }
                case Validation.Fraction(double fraction, long seed) -> {
                    long total = documents.bytes();
                    tokenize(documents, seed, fraction, out, done -> progress.update(done, total));
                    if (out.oneSided()) {
                        double nearest = out.thresholdBetween(documents);
                        LOG.info(
                                "validation_fraction {} leaves a side empty: the nearest document goes there",
                                fraction);
                        out.restart();
                        tokenize(documents, seed, nearest, out, done -> progress.update(done, total));
                    }
                    out.finish(documents, documents);
                }
            }
        }
    }

    /// Encodes by several threads and writes in order. Documents whose chance is below `threshold` go to validation.
    private void tokenize(DocumentSource source, long seed, double threshold, Output out, LongConsumer done) {
        Queue<Future<Chunk>> pending = new ArrayDeque<>();
        try (DocumentReader reader = source.open();
                ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            while (reader.hasNext()) {
                List<Document> documents = nextDocuments(reader);
                pending.add(pool.submit(() -> encode(documents, seed)));
                if (pending.size() > 3 * threads) {
                    out.add(get(pending.remove()), threshold);
                    done.accept(reader.bytesRead());
                }
            }
            while (!pending.isEmpty()) {
                out.add(get(pending.remove()), threshold);
            }
            done.accept(reader.bytesRead());
        }
    }

    private static List<Document> nextDocuments(DocumentReader reader) {
        List<Document> documents = new ArrayList<>();
        long bytes = 0;
        while (bytes < CHUNK_BYTES && reader.hasNext()) {
            Document document = reader.next();
            documents.add(document);
            bytes += document.text().length;
        }
        return documents;
    }

    private Chunk encode(List<Document> documents, long seed) {
        Encoder encoder = encoders.get();
        TokenBuffer buffer = new TokenBuffer();
        List<int[]> tokens = new ArrayList<>();
        double[] chances = new double[documents.size()];
        for (Document document : documents) {
            long identity = ByteBuffer.wrap(Sha256.of(document.text())).getLong();
            chances[tokens.size()] = Philox.uniform(seed, STREAM, 0, identity);
            buffer.clear();
            encoder.encode(document.text(), 0, document.text().length, buffer);
            tokens.add(buffer.toArray());
        }
        return new Chunk(documents, tokens, chances);
    }

    private static Chunk get(Future<Chunk> chunk) {
        try {
            return chunk.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new QuernException(
                    ExitCode.PREEMPTED, "preparing the data was interrupted: the same command does it again", e);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
        }
    }

    /// Both splits while they are written.
    private final class Output implements AutoCloseable {
        private final String recipe;
        private TokenShardWriter trainShards;
        private TokenShardWriter validationShards;
        private long trainDocuments;
        private long validationDocuments;
        private double smallestChance;
        private double largestChance;

        Output(String recipe) throws IOException {
            this.recipe = recipe;
            restart();
        }

        void restart() throws IOException {
            close();
            clean(train);
            clean(validation);
            trainShards = new TokenShardWriter(train, kind, recipe, shardTokens);
            validationShards = new TokenShardWriter(validation, kind, recipe, shardTokens);
            trainDocuments = 0;
            validationDocuments = 0;
            smallestChance = Double.POSITIVE_INFINITY;
            largestChance = Double.NEGATIVE_INFINITY;
        }

        void add(Chunk chunk, double threshold) {
            for (int i = 0; i < chunk.documents().size(); i++) {
                Document document = chunk.documents().get(i);
                double chance = chunk.chances()[i];
                smallestChance = Math.min(smallestChance, chance);
                largestChance = Math.max(largestChance, chance);
                TokenShardWriter side;
                if (chance < threshold) {
                    side = validationShards;
                    validationDocuments++;
                } else {
                    side = trainShards;
                    trainDocuments++;
                }
                side.add(document.name(), chunk.tokens().get(i), document.text().length);
            }
        }

        boolean oneSided() {
            return trainDocuments == 0 || validationDocuments == 0;
        }

        /// The threshold nearest to the one used that leaves no side empty.
        double thresholdBetween(DocumentSource documents) {
            if (!(smallestChance < largestChance)) {
                throw QuernException.data(("%s: expected at least two different documents to split into training and "
                                + "validation, found %d: give more text, put form feeds between the documents of a "
                                + ".txt file, or name validation files")
                        .formatted(documents, trainDocuments + validationDocuments));
            }
            return validationDocuments == 0 ? Math.nextUp(smallestChance) : largestChance;
        }

        void finish(DocumentSource trainSource, DocumentSource validationSource) {
            if (oneSided()) {
                throw QuernException.data((trainDocuments == 0 ? trainSource : validationSource)
                        + ": expected documents, found none that is not empty");
            }
            Manifest validationManifest = validationShards.finish();
            Manifest trainManifest = trainShards.finish();
            validationManifest.write(validation);
            trainManifest.write(train);
            LOG.info(
                    "{}: {} tokens of {} documents for training, {} of {} for validation, {} bytes of text a token",
                    folder,
                    trainManifest.tokens(),
                    trainManifest.documents(),
                    validationManifest.tokens(),
                    validationManifest.documents(),
                    String.format(Locale.ROOT, "%.2f", (double) trainManifest.textBytes() / trainManifest.tokens()));
        }

        private void clean(Path split) throws IOException {
            if (!Files.exists(split)) {
                return;
            }
            // The manifest first: a folder without it counts as unfinished.
            Files.deleteIfExists(split.resolve(Manifest.FILE));
            try (Stream<Path> files = Files.list(split)) {
                for (Path file : files.toList()) {
                    if (file.getFileName().toString().matches(OUR_FILES)) {
                        Files.delete(file);
                    }
                }
            }
        }

        @Override
        public void close() {
            if (trainShards != null) {
                trainShards.close();
                validationShards.close();
            }
        }
    }
}
