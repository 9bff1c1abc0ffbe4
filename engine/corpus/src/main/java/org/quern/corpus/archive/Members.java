package org.quern.corpus.archive;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.ZipException;

/// The parts that a WARC file is compressed in, a record each as a rule. In a plain file a part is a record and all
/// that follows.
abstract class Members implements AutoCloseable {
    static final byte[] WARC = "WARC/".getBytes(StandardCharsets.US_ASCII);

    final FileWindow window;
    private long start;
    private InputStream member = InputStream.nullInputStream();

    Members(FileWindow window) {
        this.window = window;
    }

    /// Begins the member at the window's position.
    abstract InputStream open() throws IOException;

    /// How a member begins.
    abstract byte[] magic();

    /// The offset of the member.
    final long position() {
        return start;
    }

    /// Goes to the member after the one that was read to its end. False after the last.
    ///
    /// @throws ZipException if none begins here
    final boolean next() throws IOException {
        start = window.position();
        member = InputStream.nullInputStream();
        if (start >= window.size()) {
            return false;
        }
        member = open();
        return true;
    }

    /// The member's content.
    final InputStream content() {
        return member;
    }

    /// Goes behind the current member, whose content makes no sense.
    void skip() throws IOException {
        try {
            member.skipNBytes(Long.MAX_VALUE);
        } catch (ZipException e) {
            resynchronize();
        } catch (EOFException _) {
            // All of it was there.
        }
    }

    /// Goes behind the start of the current member, which is broken, to where the next one begins that holds a
    /// record.
    void resynchronize() throws IOException {
        for (long from = start + 1; ; from++) {
            window.seek(from);
            if (!window.find(magic())) {
                return;
            }
            from = window.position();
            if (holdsRecord()) {
                window.seek(from);
                return;
            }
        }
    }

    private boolean holdsRecord() throws IOException {
        try {
            return Arrays.equals(open().readNBytes(WARC.length), WARC);
        } catch (ZipException e) {
            return false;
        }
    }

    @Override
    public void close() throws IOException {
        window.close();
    }
}
