package org.quern.store;

import java.io.InputStream;
import java.util.Objects;

/// Reads an object range by range.
final class RangeStream extends InputStream {
    interface Reader {
        byte[] read(long offset, int bytes);
    }

    private final long size;
    private final Reader reader;
    private long next;
    private byte[] range = {};
    private int at;

    RangeStream(long from, long size, Reader reader) {
        next = from;
        this.size = size;
        this.reader = reader;
    }

    @Override
    public int read() {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] into, int offset, int length) {
        Objects.checkFromIndexSize(offset, length, into.length);
        if (length == 0) {
            return 0;
        }
        if (at == range.length) {
            if (next >= size) {
                return -1;
            }
            range = reader.read(next, (int) Math.min(ObjectStore.RANGE_BYTES, size - next));
            next += range.length;
            at = 0;
        }
        int count = Math.min(length, range.length - at);
        System.arraycopy(range, at, into, offset, count);
        at += count;
        return count;
    }

    @Override
    public int available() {
        return range.length - at;
    }
}
