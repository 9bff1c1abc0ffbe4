package org.quern.corpus.archive;

import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.ZipException;

/// Frames of Zstandard (RFC 8878), with the dictionary that the first frame may hold ("Use of Zstandard in WARC
/// files"). Anything wrong with one is a [ZipException].
final class ZstdMembers extends Members {
    private static final byte[] MAGIC = {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd};
    private static final long FRAME = 0xfd2fb528L;
    private static final long DICTIONARY = 0x184d2a5dL;
    private static final long SKIPPABLE = 0x184d2a50L;
    private static final int MAX_DICTIONARY_BYTES = 1 << 26;
    private static final int REPEATED_BYTE = 1;
    private static final int RESERVED_BLOCK = 3;

    private byte[] dictionary = {};

    ZstdMembers(FileWindow window) {
        super(window);
    }

    @Override
    byte[] magic() {
        return MAGIC;
    }

    @Override
    InputStream open() throws IOException {
        long at = window.position();
        long magic = littleEndian(4);
        if (magic == FRAME) {
            window.seek(at);
            return new Content(stream(new Frame(), dictionary));
        }
        if ((magic & ~0xfL) != SKIPPABLE) {
            throw new ZipException("no Zstandard frame");
        }
        long length = littleEndian(4);
        if (magic == DICTIONARY && at == 0 && length <= MAX_DICTIONARY_BYTES) {
            readDictionary((int) length);
        } else {
            window.seek(Math.min(window.size(), window.position() + length));
        }
        return InputStream.nullInputStream();
    }

    private void readDictionary(int length) throws IOException {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) needed();
        }
        boolean compressed = length >= MAGIC.length && java.util.Arrays.equals(bytes, 0, 4, MAGIC, 0, 4);
        if (compressed) {
            try (InputStream in = new Content(stream(new ByteArrayInputStream(bytes), new byte[0]))) {
                bytes = in.readNBytes(MAX_DICTIONARY_BYTES);
            }
        }
        dictionary = bytes;
    }

    private static InputStream stream(InputStream frame, byte[] dictionary) throws IOException {
        ZstdInputStreamNoFinalizer in = new ZstdInputStreamNoFinalizer(frame);
        if (dictionary.length > 0) {
            in.setDict(dictionary);
        }
        return in;
    }

    private int needed() throws IOException {
        int value = window.read();
        if (value < 0) {
            throw new ZipException("cut off");
        }
        return value;
    }

    private long littleEndian(int bytes) throws IOException {
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            value |= (long) needed() << 8 * i;
        }
        return value;
    }

    /// The compressed bytes of one frame: its blocks say how long they are.
    private final class Frame extends InputStream {
        private long left;
        private boolean last;
        private boolean hasChecksum;
        private boolean done;

        Frame() throws IOException {
            long at = window.position();
            littleEndian(4);
            int descriptor = needed();
            boolean singleSegment = (descriptor & 0x20) != 0;
            hasChecksum = (descriptor & 4) != 0;
            int sizeFlag = descriptor >> 6;
            int sizeBytes = sizeFlag == 0 ? singleSegment ? 1 : 0 : 1 << sizeFlag;
            int dictionaryBytes = (descriptor & 3) == 3 ? 4 : descriptor & 3;
            left = 5 + (singleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
            window.seek(at);
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            if (left == 0 && !nextPart()) {
                return -1;
            }
            int count = window.read(bytes, offset, (int) Math.min(length, left));
            if (count < 0) {
                throw new ZipException("cut off");
            }
            left -= count;
            return count;
        }

        private boolean nextPart() throws IOException {
            if (last) {
                left = hasChecksum && !done ? 4 : 0;
                done = true;
                return left > 0;
            }
            long at = window.position();
            int header = (int) littleEndian(3);
            window.seek(at);
            last = (header & 1) != 0;
            int type = header >> 1 & 3;
            if (type == RESERVED_BLOCK) {
                throw new ZipException("unknown block");
            }
            left = 3 + (type == REPEATED_BYTE ? 1 : header >> 3);
            return true;
        }
    }

    /// What the library reads, with all its complaints as one kind.
    private static final class Content extends InputStream {
        private final InputStream in;

        Content(InputStream in) {
            this.in = in;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            try {
                return in.read(bytes, offset, length);
            } catch (com.github.luben.zstd.ZstdIOException | EOFException e) {
                throw new ZipException(e.getMessage());
            }
        }

        @Override
        public void close() throws IOException {
            in.close();
        }
    }
}
