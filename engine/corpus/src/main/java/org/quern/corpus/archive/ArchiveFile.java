package org.quern.corpus.archive;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.quern.store.ObjectStore;

/// A file of pages.
public sealed interface ArchiveFile {
    /// What its pages are called by: see [org.quern.corpus.Page.Origin].
    String name();

    /// In bytes.
    long size() throws IOException;

    /// The bytes from an offset on.
    InputStream open(long from) throws IOException;

    /// One of this machine.
    record Local(String name, Path path) implements ArchiveFile {
        @Override
        public long size() throws IOException {
            return Files.size(path);
        }

        @Override
        public InputStream open(long from) throws IOException {
            return Channels.newInputStream(FileChannel.open(path).position(from));
        }
    }

    /// One of a store, read range by range, never as a whole.
    ///
    /// @param etag of what is to be read: another content is refused
    record Stored(String name, ObjectStore store, String key, long size, String etag) implements ArchiveFile {
        @Override
        public InputStream open(long from) {
            return store.open(key, etag, from, size);
        }
    }
}
