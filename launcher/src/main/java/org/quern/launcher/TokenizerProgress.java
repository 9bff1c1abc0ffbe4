package org.quern.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.quern.base.QuernException;
import org.quern.data.CorpusReader;
import org.quern.tokenizer.BpeTrainer;
import org.quern.train.Units;

/// Shows on the terminal how far the training of a tokenizer is, and how long it will take.
final class TokenizerProgress implements BpeTrainer.Progress {
    private static final long INTERVAL = 100_000_000;

    private final Terminal terminal = Terminal.error();
    private final long began = System.nanoTime();
    private final CorpusReader reader;
    private final long size;
    private long mergesBegan;
    private long shown;

    /// @param reader of the files that are counted
    TokenizerProgress(CorpusReader reader, List<Path> files) {
        this.reader = reader;
        long sum = 0;
        try {
            for (Path file : files) {
                sum += Files.size(file);
            }
        } catch (IOException e) {
            throw QuernException.io("not all texts can be read", e);
        }
        size = sum;
    }

    /// Of merges alone.
    TokenizerProgress() {
        reader = null;
        size = 0;
    }

    @Override
    public void counted(long bytes) {
        if (isTime()) {
            long done = reader.bytesRead();
            double seconds = (System.nanoTime() - began) / 1e9;
            terminal.status("counting words %s of %s, %.0f MB/s, %s left"
                    .formatted(
                            Units.bytes(done),
                            Units.bytes(size),
                            bytes / 1e6 / seconds,
                            Units.duration(seconds * (size - done) / Math.max(1, done))));
        }
    }

    @Override
    public void merged(int done, int total) {
        if (mergesBegan == 0) {
            mergesBegan = System.nanoTime();
        }
        if (isTime()) {
            double seconds = (System.nanoTime() - mergesBegan) / 1e9;
            terminal.status("merge %,d of %,d, at most %s left"
                    .formatted(done, total, Units.duration(seconds * (total - done) / done)));
        }
    }

    private boolean isTime() {
        long now = System.nanoTime();
        boolean time = terminal.isInteractive() && now - shown > INTERVAL;
        shown = time ? now : shown;
        return time;
    }
}
