package org.quern.corpus.archive;

import dev.hardwood.InputFile;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.quern.base.QuernException;

/// An object as the library of Parquet reads it. What the store refuses is remembered: the library makes of it what
/// it makes of a broken file.
final class StoredParquet implements InputFile {
    private final ArchiveFile.Stored file;
    private volatile QuernException failure;

    StoredParquet(ArchiveFile.Stored file) {
        this.file = file;
    }

    Optional<QuernException> failure() {
        return Optional.ofNullable(failure);
    }

    @Override
    public void open() {
        // The store is.
    }

    @Override
    public ByteBuffer readRange(long offset, int length) {
        try {
            return ByteBuffer.wrap(file.store().read(file.key(), file.etag(), offset, length));
        } catch (QuernException e) {
            failure = e;
            throw e;
        }
    }

    @Override
    public long length() {
        return file.size();
    }

    @Override
    public String name() {
        return file.name();
    }

    @Override
    public void close() {
        // The store stays open.
    }
}
