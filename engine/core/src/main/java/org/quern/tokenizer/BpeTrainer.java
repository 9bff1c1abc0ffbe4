package org.quern.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Learns a byte-level BPE vocabulary (Sennrich et al., "Neural Machine Translation of Rare Words with Subword
/// Units", 2016). For the same documents the tokens, ids and merges are those of the BpeTrainer of Hugging Face
/// tokenizers with the byte-level alphabet: special tokens first, then the 256 bytes in the order of their
/// printable characters, then a token for each merge, the most frequent pair first, among equals that with the
/// smallest ids. The result does not depend on the number of threads, and counts are 64 bits wide.
///
/// @param vocabSize how many tokens, special tokens and bytes included
/// @param specialTokens such as end-of-text; they get the ids 0, 1, ...
/// @param threads how many threads count words
public record BpeTrainer(SplitPattern pattern, int vocabSize, List<String> specialTokens, int threads) {
    private static final Logger LOG = LoggerFactory.getLogger(BpeTrainer.class);
    private static final int BYTES = 256;

    /// Told how far the merges are, for a progress bar.
    @FunctionalInterface
    public interface Progress {
        void merged(int done, int total);
    }

    public BpeTrainer {
        specialTokens = List.copyOf(specialTokens);
        int least = BYTES + specialTokens.size();
        if (vocabSize < least) {
            throw QuernException.data(
                    "the vocabulary size must be at least %d, for 256 bytes and %d special tokens: got %d"
                            .formatted(least, specialTokens.size(), vocabSize));
        }
        if (specialTokens.stream().distinct().count() < specialTokens.size()
                || specialTokens.stream().anyMatch(t -> t.length() < 2)) {
            throw QuernException.data(
                    "special tokens must be different and longer than one character: got " + specialTokens);
        }
    }

    /// Trains on documents in UTF-8. The iterator is used by one thread at a time.
    public Tokenizer train(Iterator<byte[]> documents, Progress progress) {
        return merge(count(documents), progress);
    }

    private WordCounts count(Iterator<byte[]> documents) {
        List<Future<WordCounts>> parts = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            for (int i = 0; i < threads; i++) {
                parts.add(pool.submit(() -> {
                    WordCounts counts = new WordCounts(pattern);
                    for (byte[] text = next(documents); text != null; text = next(documents)) {
                        counts.count(text);
                    }
                    return counts;
                }));
            }
            WordCounts all = parts.getFirst().get();
            for (Future<WordCounts> part : parts.subList(1, threads)) {
                all.add(part.get());
            }
            return all;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new QuernException(ExitCode.RETRYABLE, "interrupted while counting words", e);
        }
    }

    private static byte[] next(Iterator<byte[]> documents) {
        synchronized (documents) {
            return documents.hasNext() ? documents.next() : null;
        }
    }

    private Tokenizer merge(WordCounts counts, Progress progress) {
        Vocabulary vocabulary = new Vocabulary("trained vocabulary");
        List<AddedToken> specials = new ArrayList<>();
        for (String content : specialTokens) {
            specials.add(AddedToken.special(specials.size(), content));
            vocabulary.add(content.getBytes(StandardCharsets.UTF_8), vocabulary.size());
        }
        for (byte b : ByteAlphabet.inOrder()) {
            vocabulary.add(new byte[] {b}, vocabulary.size());
        }
        Merges merges = new MergeLearner(counts, vocabulary).learn(vocabSize, progress);
        if (vocabulary.size() < vocabSize) {
            LOG.warn(
                    "The text has no more pairs to merge: the vocabulary has {} tokens rather than {}",
                    vocabulary.size(),
                    vocabSize);
        }
        return new Tokenizer(pattern, vocabulary, merges, false, specials, new int[0]);
    }
}
