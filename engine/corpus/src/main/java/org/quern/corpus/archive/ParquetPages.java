package org.quern.corpus.archive;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.corpus.Page;

/// Pages of Parquet: the column `text`, with `url`, `date` and `id` where there are such. A file that is broken is
/// counted, with the pages before that.
///
/// The library may wait for ever for a page of a damaged file. So it works on a thread of its own, which is left
/// alone when nothing has come of it for a long time.
final class ParquetPages extends PageReader {
    /// For a few pages, of a store that is slow and on a machine that is busy.
    static final Duration PATIENCE = Duration.ofMinutes(5);

    private final ParquetRows rows;
    private final Duration patience;
    private final BlockingQueue<Batch> batches = new ArrayBlockingQueue<>(1);
    private final Queue<Optional<Page>> pages = new ArrayDeque<>();
    private Thread thread;
    private volatile boolean closed;
    private boolean ended;
    private boolean stuck;

    /// Some pages in their order: empty for one that is too large.
    ///
    /// @param end why there are no more: see [ParquetRows]; empty if there are
    /// @param failure of what is read from, not of the file
    record Batch(List<Optional<Page>> pages, Optional<String> end, Optional<QuernException> failure) {}

    ParquetPages(ArchiveFile file, int maxPageBytes, Duration patience) {
        rows = new ParquetRows(file, maxPageBytes);
        this.patience = patience;
    }

    @Override
    public Optional<Page> next() {
        while (true) {
            if (!pages.isEmpty()) {
                Optional<Page> page = pages.remove();
                if (page.isPresent()) {
                    return page;
                }
                bad.add("too_large");
            } else if (ended) {
                return Optional.empty();
            } else {
                take();
            }
        }
    }

    private void take() {
        if (thread == null) {
            thread = Thread.ofPlatform().daemon().name("parquet").start(this::read);
        }
        try {
            Batch batch = batches.poll(patience.toMillis(), TimeUnit.MILLISECONDS);
            if (batch == null) {
                stuck = true;
                ended = true;
                bad.add("broken_parquet");
                return;
            }
            batch.failure().ifPresent(failure -> {
                ended = true;
                throw failure;
            });
            pages.addAll(batch.pages());
            ended = batch.end().isPresent();
            batch.end().filter(end -> !end.isEmpty()).ifPresent(bad::add);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new QuernException(ExitCode.PREEMPTED, "stopped: the same command goes on from here", e);
        }
    }

    private void read() {
        try {
            Batch batch;
            do {
                batch = rows.next();
                batches.put(batch);
            } while (!closed && batch.end().isEmpty() && batch.failure().isEmpty());
        } catch (InterruptedException _) {
            // closed
        } finally {
            rows.close();
        }
    }

    @Override
    public long bytesRead() {
        return rows.bytesRead();
    }

    @Override
    public void close() throws IOException {
        closed = true;
        if (thread == null || stuck) {
            return;
        }
        thread.interrupt();
        try {
            thread.join(patience);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
