package org.quern.corpus.run;

import java.io.BufferedOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.UUID;
import org.quern.base.Json;

/// A file that is whole or not there: written under a name of its own, so that two attempts at a step do not
/// meet, and renamed by [#commit()]. Closing without a commit removes it.
final class CommittedFile extends FilterOutputStream {
    static final String TEMPORARY_SUFFIX = ".tmp";

    private final Path file;
    private final Path temporary;
    private final FileChannel channel;
    private boolean closed;

    CommittedFile(Path file) throws IOException {
        this(file, file.resolveSibling(file.getFileName() + "." + UUID.randomUUID() + TEMPORARY_SUFFIX));
    }

    private CommittedFile(Path file, Path temporary) throws IOException {
        this(file, temporary, FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE));
    }

    private CommittedFile(Path file, Path temporary, FileChannel channel) {
        super(new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16));
        this.file = file;
        this.temporary = temporary;
        this.channel = channel;
    }

    static void write(Path file, byte[] bytes) throws IOException {
        try (CommittedFile out = new CommittedFile(file)) {
            out.write(bytes);
            out.commit();
        }
    }

    /// Writes each as a line of JSON.
    static void writeLines(Path file, List<?> values) throws IOException {
        try (CommittedFile out = new CommittedFile(file)) {
            for (Object value : values) {
                out.write(Json.MAPPER.writeValueAsBytes(value));
                out.write('\n');
            }
            out.commit();
        }
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        out.write(bytes, offset, length);
    }

    /// What is written, without the end of this file: for writers that close what they write to.
    OutputStream uncloseable() {
        return new FilterOutputStream(this) {
            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                out.write(bytes, offset, length);
            }

            @Override
            public void close() throws IOException {
                flush();
            }
        };
    }

    void commit() throws IOException {
        flush();
        channel.force(true);
        channel.close();
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        closed = true;
        // The rename itself is durable only once its folder is.
        try (FileChannel folder = FileChannel.open(file.toAbsolutePath().getParent())) {
            folder.force(true);
        }
    }

    @Override
    public void close() throws IOException {
        if (!closed) {
            closed = true;
            channel.close();
            Files.deleteIfExists(temporary);
        }
    }
}
