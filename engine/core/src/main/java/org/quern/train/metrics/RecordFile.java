package org.quern.train.metrics;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.quern.base.QuernException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A file that grows by whole records. A record that could not be written (a full disk) leaves no trace in the file;
/// the failure is logged once, and the run goes on.
///
/// Nothing is buffered, so a killed process loses no record that `append` returned from. (A `RandomAccessFile`
/// rather than a channel: an interrupt closes a channel.)
final class RecordFile implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RecordFile.class);

    private final Path path;
    private final RandomAccessFile file;
    private long end;
    private boolean failing;

    /// Opens a file to go on at its end; it and its folder are made if missing.
    RecordFile(Path path) {
        this.path = path;
        try {
            Files.createDirectories(path.getParent());
            file = new RandomAccessFile(path.toFile(), "rw");
            end = file.length();
        } catch (IOException e) {
            throw QuernException.io("cannot open %s for writing".formatted(path), e);
        }
    }

    void append(byte[] record) {
        try {
            file.seek(end);
            file.write(record);
            end += record.length;
            if (failing) {
                LOG.info("{} is written again", path);
                failing = false;
            }
        } catch (IOException e) {
            if (!failing) {
                LOG.warn("cannot write {}, the run goes on without: {}", path, e.getMessage());
                failing = true;
            }
            removeTornRecord();
        }
    }

    private void removeTornRecord() {
        try {
            file.setLength(end);
        } catch (IOException e) {
            LOG.debug("{} may end in a torn record until the next one is written over it", path, e);
        }
    }

    @Override
    public void close() {
        try {
            file.close();
        } catch (IOException e) {
            LOG.warn("cannot close {}: {}", path, e.getMessage());
        }
    }
}
