package org.quern.corpus.archive;

import java.io.IOException;
import java.io.InputStream;

/// A file read forward through a buffer, from any offset.
final class FileWindow implements AutoCloseable {
    private final ArchiveFile file;
    private final long size;
    private final byte[] buffer = new byte[1 << 16];
    private InputStream in;
    private long bufferAt;
    private int length;
    private int next;

    FileWindow(ArchiveFile file) throws IOException {
        this.file = file;
        size = file.size();
        in = file.open(0);
    }

    long size() {
        return size;
    }

    long position() {
        return bufferAt + next;
    }

    void seek(long position) throws IOException {
        if (position >= bufferAt && position <= bufferAt + length) {
            next = (int) (position - bufferAt);
            return;
        }
        in.close();
        in = file.open(position);
        bufferAt = position;
        length = 0;
        next = 0;
    }

    /// The next byte, or -1 at the end.
    int read() throws IOException {
        return fill() ? buffer[next++] & 0xff : -1;
    }

    int read(byte[] bytes, int offset, int count) throws IOException {
        if (!fill()) {
            return -1;
        }
        int taken = Math.min(count, length - next);
        System.arraycopy(buffer, next, bytes, offset, taken);
        next += taken;
        return taken;
    }

    private boolean fill() throws IOException {
        if (next < length) {
            return true;
        }
        bufferAt += length;
        next = 0;
        length = Math.max(0, in.read(buffer));
        return length > 0;
    }

    /// Moves to where `pattern` begins next, at or behind the current position. False at the end if it does not.
    boolean find(byte[] pattern) throws IOException {
        while (true) {
            int first = read();
            if (first < 0) {
                return false;
            }
            if (first != (pattern[0] & 0xff)) {
                continue;
            }
            long at = position() - 1;
            int matched = 1;
            while (matched < pattern.length && read() == (pattern[matched] & 0xff)) {
                matched++;
            }
            seek(matched == pattern.length ? at : at + 1);
            if (matched == pattern.length) {
                return true;
            }
        }
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
