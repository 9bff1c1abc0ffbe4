package org.quern.checkpoint;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/// A file that is written once, with checksums on the way, and is on the disk when it is closed.
final class DurableFile implements AutoCloseable {
    /// Small enough that the write finds the bytes in the cache.
    private static final int CHUNK_BYTES = 1 << 20;

    private final FileChannel channel;

    DurableFile(Path file) throws IOException {
        channel = FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
    }

    /// The checksum of these bytes.
    static String checksum(MemorySegment bytes) {
        CRC32C checksum = new CRC32C();
        for (long offset = 0; offset < bytes.byteSize(); offset += CHUNK_BYTES) {
            checksum.update(chunk(bytes, offset));
        }
        return hex(checksum);
    }

    private static ByteBuffer chunk(MemorySegment bytes, long offset) {
        return bytes.asSlice(offset, Math.min(CHUNK_BYTES, bytes.byteSize() - offset))
                .asByteBuffer();
    }

    /// Appends bytes.
    ///
    /// @return their checksum
    String write(MemorySegment bytes) throws IOException {
        CRC32C part = new CRC32C();
        for (long offset = 0; offset < bytes.byteSize(); offset += CHUNK_BYTES) {
            ByteBuffer chunk = chunk(bytes, offset);
            part.update(chunk.duplicate());
            while (chunk.hasRemaining()) {
                channel.write(chunk);
            }
        }
        return hex(part);
    }

    private static String hex(CRC32C checksum) {
        return HexFormat.of().toHexDigits((int) checksum.getValue());
    }

    @Override
    public void close() throws IOException {
        try (channel) {
            channel.force(true);
        }
    }
}
