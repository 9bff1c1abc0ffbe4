package org.quern.corpus.archive;

import java.io.IOException;
import java.io.InputStream;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import java.util.zip.ZipException;

/// Members of gzip (RFC 1952). Anything wrong with one is a [ZipException], at its end if its checksum or length is.
final class GzipMembers extends Members {
    private static final byte[] MAGIC = {0x1f, (byte) 0x8b, 8};
    private static final int HEADER_CRC = 2;
    private static final int EXTRA = 4;
    private static final int NAME = 8;
    private static final int COMMENT = 16;
    private static final int RESERVED = 0xe0;

    private final Inflater inflater = new Inflater(true);
    private final byte[] compressed = new byte[1 << 13];

    GzipMembers(FileWindow window) {
        super(window);
    }

    @Override
    byte[] magic() {
        return MAGIC;
    }

    @Override
    InputStream open() throws IOException {
        for (byte expected : MAGIC) {
            if (window.read() != (expected & 0xff)) {
                throw new ZipException("no gzip member");
            }
        }
        int flags = window.read();
        if ((flags & RESERVED) != 0) {
            throw new ZipException("unknown flags");
        }
        skip(6);
        if ((flags & EXTRA) != 0) {
            skip(needed() | needed() << 8);
        }
        if ((flags & NAME) != 0) {
            skipText();
        }
        if ((flags & COMMENT) != 0) {
            skipText();
        }
        if ((flags & HEADER_CRC) != 0) {
            skip(2);
        }
        inflater.reset();
        return new Content();
    }

    private int needed() throws IOException {
        int value = window.read();
        if (value < 0) {
            throw new ZipException("cut off");
        }
        return value;
    }

    private void skip(int bytes) throws IOException {
        for (int i = 0; i < bytes; i++) {
            needed();
        }
    }

    private void skipText() throws IOException {
        while (needed() != 0) {
            // up to the zero
        }
    }

    private long littleEndian() throws IOException {
        return needed() | needed() << 8 | needed() << 16 | (long) needed() << 24;
    }

    /// The inflated bytes of one member.
    private final class Content extends InputStream {
        private final CRC32 crc = new CRC32();
        private boolean ended;

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            if (length == 0) {
                return 0;
            }
            while (!ended) {
                int count = inflate(bytes, offset, length);
                if (count > 0) {
                    crc.update(bytes, offset, count);
                    return count;
                }
                if (inflater.finished()) {
                    window.seek(window.position() - inflater.getRemaining());
                    if (littleEndian() != crc.getValue()
                            || littleEndian() != (inflater.getBytesWritten() & 0xffffffffL)) {
                        throw new ZipException("wrong checksum");
                    }
                    ended = true;
                } else if (inflater.needsDictionary()) {
                    throw new ZipException("a dictionary is needed");
                } else {
                    int taken = window.read(compressed, 0, compressed.length);
                    if (taken < 0) {
                        throw new ZipException("cut off");
                    }
                    inflater.setInput(compressed, 0, taken);
                }
            }
            return -1;
        }

        private int inflate(byte[] bytes, int offset, int length) throws ZipException {
            try {
                return inflater.inflate(bytes, offset, length);
            } catch (DataFormatException e) {
                throw new ZipException(e.getMessage());
            }
        }
    }

    @Override
    public void close() throws IOException {
        inflater.end();
        super.close();
    }
}
