package org.quern.corpus.archive;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.quern.base.QuernException;
import org.quern.corpus.Page;

/// The pages of a file, in its order. What is no page, or cannot be read, is counted and passed over.
public abstract class PageReader implements AutoCloseable {
    /// The ends of the names of files that are read.
    public static final List<String> SUFFIXES = List.of(
            ".warc",
            ".warc.gz",
            ".warc.zst",
            ".wet",
            ".wet.gz",
            ".wet.zst",
            ".jsonl",
            ".jsonl.gz",
            ".jsonl.zst",
            ".parquet");

    final Tally passedOver = new Tally();
    final Tally bad = new Tally();

    /// @param maxPageBytes longer pages are passed over: what one page takes of the memory
    public static PageReader open(ArchiveFile file, int maxPageBytes) throws IOException {
        String name = file.name();
        if (name.endsWith(".parquet")) {
            return new ParquetPages(file, maxPageBytes, ParquetPages.PATIENCE);
        }
        if (name.matches(".*\\.jsonl(\\.gz|\\.zst)?")) {
            return new JsonLinesPages(file, maxPageBytes);
        }
        if (name.matches(".*\\.(warc|wet)(\\.gz|\\.zst)?")) {
            return new WarcPages(file, maxPageBytes);
        }
        throw QuernException.data("%s: expected a file ending in one of %s".formatted(name, SUFFIXES));
    }

    /// Empty after the last.
    public abstract Optional<Page> next() throws IOException;

    /// Bytes of the file read so far.
    public abstract long bytesRead();

    /// Records that hold no page, by what they are.
    public Tally passedOver() {
        return passedOver;
    }

    /// Records that are damaged, by how.
    public Tally bad() {
        return bad;
    }

    @Override
    public abstract void close() throws IOException;
}
