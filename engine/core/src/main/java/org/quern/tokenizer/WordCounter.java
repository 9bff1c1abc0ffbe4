package org.quern.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

/// Counts the words of documents with several threads in bounded memory: when a thread holds too many different
/// words it writes them to a file of a temporary folder, in order, and begins anew. Nothing is lost by that.
final class WordCounter implements AutoCloseable {
    private final SplitPattern pattern;
    private final long memoryOfThread;
    private final BpeTrainer.Progress progress;
    private final AtomicLong counted = new AtomicLong();
    private final List<WordCounts> inMemory = Collections.synchronizedList(new ArrayList<>());
    private final List<Path> files = new ArrayList<>();
    private Path folder;

    /// @param memoryOfThread the bytes that a thread may hold before it writes
    WordCounter(SplitPattern pattern, long memoryOfThread, BpeTrainer.Progress progress) {
        this.pattern = pattern;
        this.memoryOfThread = memoryOfThread;
        this.progress = progress;
    }

    /// Counts all documents; the iterator is used by one thread at a time.
    void count(Iterator<byte[]> documents, int threads) {
        List<Future<?>> parts = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            for (int i = 0; i < threads; i++) {
                parts.add(pool.submit(() -> countSome(documents)));
            }
            for (Future<?> part : parts) {
                part.get();
            }
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RuntimeException failure -> throw failure;
                case Error failure -> throw failure;
                default -> throw new IllegalStateException(e.getCause());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new QuernException(ExitCode.RETRYABLE, "interrupted while counting words", e);
        }
    }

    private void countSome(Iterator<byte[]> documents) {
        WordCounts counts = new WordCounts(pattern);
        for (byte[] text = next(documents); text != null; text = next(documents)) {
            counts.count(text);
            if (counts.memory() > memoryOfThread) {
                WordCountFile.write(newFile(), pattern, counts.cursor());
                counts = new WordCounts(pattern);
            }
        }
        inMemory.add(counts);
    }

    private byte[] next(Iterator<byte[]> documents) {
        synchronized (documents) {
            if (!documents.hasNext()) {
                return null;
            }
            byte[] text = documents.next();
            progress.counted(counted.addAndGet(text.length));
            return text;
        }
    }

    private synchronized Path newFile() {
        try {
            if (folder == null) {
                folder = Files.createTempDirectory("quern-words");
            }
            Path file = folder.resolve(files.size() + ".counts");
            files.add(file);
            return file;
        } catch (IOException e) {
            throw QuernException.io("no temporary folder for word counts can be made", e);
        }
    }

    /// All words that were counted.
    WordCursor cursor() {
        List<WordCursor> cursors = new ArrayList<>();
        inMemory.forEach(counts -> cursors.add(counts.cursor()));
        files.forEach(file -> cursors.add(WordCountFile.open(file, pattern)));
        return new MergedWords(cursors);
    }

    /// Deletes the temporary files.
    @Override
    public void close() {
        try {
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
            if (folder != null) {
                Files.delete(folder);
            }
        } catch (IOException e) {
            throw QuernException.io(folder + ": temporary files cannot be deleted", e);
        }
    }
}
