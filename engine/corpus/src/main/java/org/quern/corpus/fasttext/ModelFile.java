package org.quern.corpus.fasttext;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.quern.base.QuernException;

/// A cursor over a mapped little-endian model file, on which every read is checked against the file's end.
final class ModelFile implements AutoCloseable {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path path;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment bytes;
    private long position;

    ModelFile(Path path) {
        this.path = path;
        try (FileChannel channel = FileChannel.open(path)) {
            bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, Files.size(path), arena);
        } catch (IOException e) {
            arena.close();
            throw QuernException.io(path + " cannot be read", e);
        }
    }

    int readInt() {
        return bytes.get(INT, take(4, 1));
    }

    long readLong() {
        return bytes.get(LONG, take(8, 1));
    }

    double readDouble() {
        return bytes.get(DOUBLE, take(8, 1));
    }

    byte readByte() {
        return bytes.get(ValueLayout.JAVA_BYTE, take(1, 1));
    }

    boolean readFlag() {
        byte flag = readByte();
        require(flag == 0 || flag == 1, "a flag is " + flag + " where 0 or 1 is expected");
        return flag == 1;
    }

    byte[] readBytes(long count) {
        return bytes.asSlice(take(1, count), count).toArray(ValueLayout.JAVA_BYTE);
    }

    /// Finite numbers: anything else is a damaged file, and would spoil every score.
    float[] readFloats(long count) {
        float[] values = bytes.asSlice(take(4, count), 4 * count).toArray(FLOAT);
        for (float value : values) {
            require(Float.isFinite(value), "a weight is " + value);
        }
        return values;
    }

    /// Bytes up to a zero, which is skipped.
    byte[] readWord() {
        long end = position;
        while (end < bytes.byteSize() && bytes.get(ValueLayout.JAVA_BYTE, end) != 0) {
            end++;
        }
        byte[] word = readBytes(end - position);
        take(1, 1);
        return word;
    }

    /// Bytes not read yet.
    long remaining() {
        return bytes.byteSize() - position;
    }

    void require(boolean holds, String problem) {
        if (!holds) {
            throw QuernException.data(path + " is not a whole fastText model: " + problem + " (before byte " + position
                    + " of " + bytes.byteSize() + "); fetch the file again");
        }
    }

    private long take(int width, long count) {
        require(count >= 0 && count <= remaining() / width, "it ends early");
        require(count < Integer.MAX_VALUE - 8, count + " values are more than can be held");
        long start = position;
        position += width * count;
        return start;
    }

    @Override
    public void close() {
        arena.close();
    }
}
