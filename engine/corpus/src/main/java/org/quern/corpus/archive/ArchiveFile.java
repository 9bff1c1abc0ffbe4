package org.quern.corpus.archive;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/// A file of pages.
///
/// @param name what its pages are called by: see [org.quern.corpus.Page.Origin]
public record ArchiveFile(String name, Path path) {
    long size() throws IOException {
        return Files.size(path);
    }

    /// The bytes from an offset on.
    InputStream open(long from) throws IOException {
        return Channels.newInputStream(FileChannel.open(path).position(from));
    }
}
