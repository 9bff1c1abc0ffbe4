package org.quern.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.quern.base.QuernException;

/// A file that is either whole or not there: written under a temporary name in the same folder, forced to the disk and
/// renamed by [#commit()]. Closing without a commit removes what was written.
final class OutputFile implements AutoCloseable {
    static final String TEMPORARY_SUFFIX = ".tmp";

    private final Path file;
    private final Path temporary;
    private final FileChannel channel;
    private boolean committed;

    OutputFile(Path file) {
        this.file = file;
        temporary = file.resolveSibling(file.getFileName() + TEMPORARY_SUFFIX);
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            channel = FileChannel.open(
                    temporary,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /// Writes what remains of `bytes` behind what was written.
    void write(ByteBuffer bytes) {
        try {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }

    /// Writes what remains of `bytes` over what is at `position`.
    void write(ByteBuffer bytes, long position) {
        try {
            for (long at = position; bytes.hasRemaining(); ) {
                at += channel.write(bytes, at);
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }

    void commit() {
        try {
            channel.force(true);
            channel.close();
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            committed = true;
            // The rename itself is durable only once its folder is.
            try (FileChannel folder = FileChannel.open(file.toAbsolutePath().getParent())) {
                folder.force(true);
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }

    @Override
    public void close() {
        if (committed) {
            return;
        }
        try {
            channel.close();
            Files.deleteIfExists(temporary);
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private QuernException failed(IOException e) {
        return QuernException.io(file + ": cannot be written", e, "free some space, or choose another folder");
    }
}
