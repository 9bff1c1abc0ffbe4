package org.quern.tokenizer;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.quern.base.QuernException;

/// A file of words and their counts, in the order of the words: the name of the format and of the split
/// pattern, then for each word its length (int), its bytes and its count (long), then a length of -1. Numbers
/// are big-endian.
final class WordCountFile {
    private static final String FORMAT = "quern word counts 1 ";
    private static final int END = -1;
    private static final int BUFFER = 1 << 18;

    private WordCountFile() {}

    static void write(Path file, SplitPattern pattern, WordCursor words) {
        try (DataOutputStream out =
                new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file), BUFFER))) {
            out.writeUTF(FORMAT + pattern);
            while (words.next()) {
                int length = words.to() - words.from();
                out.writeInt(length);
                out.write(words.bytes(), words.from(), length);
                out.writeLong(words.count());
            }
            out.writeInt(END);
        } catch (IOException e) {
            throw QuernException.io("%s: word counts cannot be written".formatted(file), e);
        }
    }

    /// @throws QuernException if the words were cut by another pattern
    static WordCursor open(Path file, SplitPattern pattern) {
        try {
            DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file), BUFFER));
            String format = in.readUTF();
            if (!format.equals(FORMAT + pattern)) {
                in.close();
                throw QuernException.data(
                        "%s: expected \"%s\", found \"%s\": words that are to be counted together must be cut alike"
                                .formatted(file, FORMAT + pattern, TextFile.shorten(format)));
            }
            return new Reader(file, in);
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    private static QuernException unreadable(Path file, IOException e) {
        return e instanceof EOFException
                ? QuernException.data(file + ": the file of word counts is cut off")
                : QuernException.io("%s: word counts cannot be read".formatted(file), e);
    }

    private static final class Reader implements WordCursor {
        private final Path file;
        private final DataInputStream in;
        private byte[] word = new byte[64];
        private int length;
        private long count;

        Reader(Path file, DataInputStream in) {
            this.file = file;
            this.in = in;
        }

        @Override
        public boolean next() {
            try {
                length = in.readInt();
                if (length == END) {
                    return false;
                }
                if (length > word.length) {
                    word = new byte[length];
                }
                in.readFully(word, 0, length);
                count = in.readLong();
                return true;
            } catch (IOException e) {
                throw unreadable(file, e);
            }
        }

        @Override
        public byte[] bytes() {
            return word;
        }

        @Override
        public int from() {
            return 0;
        }

        @Override
        public int to() {
            return length;
        }

        @Override
        public long count() {
            return count;
        }

        @Override
        public void close() {
            try {
                in.close();
            } catch (IOException e) {
                throw unreadable(file, e);
            }
        }
    }
}
