package org.quern.corpus.archive;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/// Records one after another, without compression.
final class PlainMembers extends Members {
    private static final byte[] END_AND_WARC = "\r\n\r\nWARC/1.".getBytes(StandardCharsets.US_ASCII);

    PlainMembers(FileWindow window) {
        super(window);
    }

    @Override
    byte[] magic() {
        return WARC;
    }

    @Override
    InputStream open() {
        return new InputStream() {
            @Override
            public int read() throws IOException {
                return window.read();
            }

            @Override
            public int read(byte[] bytes, int offset, int length) throws IOException {
                return length == 0 ? 0 : window.read(bytes, offset, length);
            }
        };
    }

    /// To where a record begins behind the start of this one.
    @Override
    void skip() throws IOException {
        window.seek(Math.min(window.size(), position() + 1));
        if (window.find(END_AND_WARC)) {
            window.seek(window.position() + 4);
        }
    }
}
