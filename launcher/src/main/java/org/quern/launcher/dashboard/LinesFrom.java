package org.quern.launcher.dashboard;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;

/// The whole lines of a file that grows, from a byte on.
///
/// @param bytes at most a few million
/// @param next where to go on; less than asked for, and no bytes, if the file was cut
record LinesFrom(byte[] bytes, long next) {
    private static final int MOST = 4 << 20;

    /// A file that is not there is empty.
    static LinesFrom read(Path file, long from) throws IOException {
        try (FileChannel channel = FileChannel.open(file)) {
            long size = channel.size();
            if (size < from) {
                return new LinesFrom(new byte[0], 0);
            }
            ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(MOST, size - from));
            while (buffer.hasRemaining() && channel.read(buffer, from + buffer.position()) >= 0) {
                // Reads on.
            }
            byte[] bytes = Arrays.copyOf(buffer.array(), buffer.position());
            int end = bytes.length;
            while (end > 0 && bytes[end - 1] != '\n') {
                end--;
            }
            return new LinesFrom(Arrays.copyOf(bytes, end), from + end);
        } catch (NoSuchFileException e) {
            return new LinesFrom(new byte[0], 0);
        }
    }

    /// Seconds since a file changed; 0 if it is not there.
    static long age(Path file) {
        try {
            return Math.max(
                    0,
                    Duration.between(Files.getLastModifiedTime(file).toInstant(), Instant.now())
                            .toSeconds());
        } catch (IOException e) {
            return 0;
        }
    }

    /// All of a small file.
    static String text(Path file) {
        try {
            return Files.readString(file, StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }
}
