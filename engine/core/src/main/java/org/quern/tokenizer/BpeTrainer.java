package org.quern.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Supplier;
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

    /// What counting words may take of the heap before they are written to a temporary file.
    private static final int COUNTING_SHARE = 4;

    /// What the words that merges are learnt from may take.
    private static final int LEARNING_SHARE = 2;

    /// Told how far it is, for a progress bar.
    @FunctionalInterface
    public interface Progress {
        /// By the thread that trains.
        void merged(int done, int total);

        /// By one of the counting threads at a time.
        ///
        /// @param bytes of the documents that were taken so far
        default void counted(long bytes) {}
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

    /// Trains on documents in UTF-8, as many as there are: what does not fit into a part of the heap goes to
    /// temporary files. The iterator is used by one thread at a time.
    public Tokenizer train(Iterator<byte[]> documents, Progress progress) {
        long heap = Runtime.getRuntime().maxMemory();
        return train(documents, progress, heap / LEARNING_SHARE, heap / COUNTING_SHARE / threads);
    }

    /// @param memory the bytes to learn in
    /// @param memoryOfThread those for each thread to count in
    Tokenizer train(Iterator<byte[]> documents, Progress progress, long memory, long memoryOfThread) {
        WordList words;
        try (WordCounter counter = new WordCounter(pattern, memoryOfThread, progress)) {
            counter.count(documents, threads);
            words = WordList.read(counter::cursor, memory);
        }
        return merge(words, progress);
    }

    /// Counts the words of documents into a file, so that several machines can count parts of a corpus, for
    /// [#trainOnCounts].
    public static void count(
            Iterator<byte[]> documents, SplitPattern pattern, int threads, Path file, Progress progress) {
        long memory = Runtime.getRuntime().maxMemory() / COUNTING_SHARE / threads;
        try (WordCounter counter = new WordCounter(pattern, memory, progress)) {
            counter.count(documents, threads);
            try (WordCursor words = counter.cursor()) {
                WordCountFile.write(file, pattern, words);
            }
        }
    }

    /// Trains on what [#count] wrote: the same tokenizer as from all the documents at once.
    public Tokenizer trainOnCounts(List<Path> files, Progress progress) {
        Supplier<WordCursor> all = () -> new MergedWords(
                files.stream().map(file -> WordCountFile.open(file, pattern)).toList());
        return merge(WordList.read(all, Runtime.getRuntime().maxMemory() / LEARNING_SHARE), progress);
    }

    private Tokenizer merge(WordList words, Progress progress) {
        Vocabulary vocabulary = new Vocabulary("trained vocabulary");
        List<AddedToken> specials = new ArrayList<>();
        for (String content : specialTokens) {
            specials.add(AddedToken.special(specials.size(), content));
            vocabulary.add(content.getBytes(StandardCharsets.UTF_8), vocabulary.size());
        }
        for (byte b : ByteAlphabet.inOrder()) {
            vocabulary.add(new byte[] {b}, vocabulary.size());
        }
        Merges merges = new MergeLearner(words, vocabulary).learn(vocabSize, progress);
        if (vocabulary.size() < vocabSize) {
            LOG.warn(
                    "The text has no more pairs to merge: the vocabulary has {} tokens rather than {}",
                    vocabulary.size(),
                    vocabSize);
        }
        return new Tokenizer(pattern, vocabulary, merges, false, specials, new int[0]);
    }
}
