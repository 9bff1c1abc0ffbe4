package org.quern.corpus.duplicate;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.quern.base.QuernException;

/// A file of one bucket's records in ascending order: the hashes, then the page's number.
///
/// Little-endian longs: magic, version, buckets, bucket, hashes, words, seed, records; `records` times
/// (hashes, number); CRC-32C of all before. Order, number of records and checksum are verified by whoever
/// reads it.
final class SignatureFile {
    private static final long MAGIC = 0x4749534e52455551L;
    private static final long VERSION = 1;
    private static final int HEADER_LONGS = 8;

    private SignatureFile() {}

    private static long[] header(Scheme scheme, int bucket, long records) {
        return new long[] {
            MAGIC, VERSION, scheme.buckets(), bucket, scheme.hashes(), scheme.words(), scheme.seed(), records
        };
    }

    /// Compares two records, of as many longs as are given.
    static int compare(long[] one, int oneAt, long[] other, int otherAt, int longs) {
        for (int i = 0; i < longs; i++) {
            if (one[oneAt + i] != other[otherAt + i]) {
                return Long.compare(one[oneAt + i], other[otherAt + i]);
            }
        }
        return 0;
    }

    /// Writes records that come in order; the file has its name only once it is whole.
    static final class Writer implements AutoCloseable {
        private final Path path;
        private final Path unfinished;
        private final FileChannel channel;
        private final ByteBuffer buffer;
        private final CRC32C checksum = new CRC32C();
        private long left;

        Writer(Path path, Scheme scheme, int bucket, long records, int bufferBytes) {
            this.path = path;
            unfinished = path.resolveSibling(path.getFileName() + "." + UUID.randomUUID() + ".tmp");
            buffer = ByteBuffer.allocateDirect(bufferBytes).order(ByteOrder.LITTLE_ENDIAN);
            left = records;
            try {
                Files.createDirectories(path.getParent());
                channel = FileChannel.open(
                        unfinished,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.TRUNCATE_EXISTING);
            } catch (IOException e) {
                throw failed(e);
            }
            long[] header = header(scheme, bucket, records);
            put(header, 0, header.length);
        }

        void add(long[] record, int at, int longs) {
            put(record, at, longs);
            left--;
        }

        private void put(long[] values, int at, int longs) {
            for (int i = at; i < at + longs; i++) {
                if (buffer.remaining() < Long.BYTES) {
                    flush();
                }
                buffer.putLong(values[i]);
            }
        }

        private void flush() {
            try {
                buffer.flip();
                checksum.update(buffer.duplicate());
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
                buffer.clear();
            } catch (IOException e) {
                throw failed(e);
            }
        }

        /// Adds the checksum and gives the file its name.
        void finish() {
            if (left != 0) {
                throw new IllegalStateException(left + " records are missing in " + path);
            }
            flush();
            put(new long[] {checksum.getValue()}, 0, 1);
            flush();
            try {
                channel.close();
                Files.move(unfinished, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } catch (IOException e) {
                throw failed(e);
            }
        }

        private QuernException failed(IOException e) {
            return QuernException.io(unfinished + " cannot be written", e);
        }

        @Override
        public void close() {
            try {
                channel.close();
                Files.deleteIfExists(unfinished);
            } catch (IOException e) {
                throw failed(e);
            }
        }
    }

    /// Reads a file's records one after the other.
    static final class Reader implements AutoCloseable {
        private final Path path;
        private final FileChannel channel;
        private final ByteBuffer buffer;
        private final CRC32C checksum = new CRC32C();
        private final long records;
        private final int hashes;
        private final boolean known;
        private long uncheckedBytes;
        private long read;
        private long[] record;
        private long[] previous;

        /// @param known whether its pages are of an earlier run, and have the number [Clusters#KNOWN] here
        Reader(Path path, Scheme scheme, int bucket, int bufferBytes, boolean known) {
            this.path = path;
            this.known = known;
            hashes = scheme.hashes();
            record = new long[hashes + 1];
            previous = new long[hashes + 1];
            buffer = ByteBuffer.allocateDirect(bufferBytes)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .limit(0);
            try {
                channel = FileChannel.open(path);
                uncheckedBytes = Math.max(0, channel.size() - Long.BYTES);
                long[] header = header(scheme, bucket, 0);
                for (int i = 0; i < HEADER_LONGS - 1; i++) {
                    long value = next();
                    if (value != header[i]) {
                        throw damaged("its header has " + value + " where " + header[i]
                                + " belongs: it is damaged or was made" + " with another configuration");
                    }
                }
                records = next();
                long expected = Long.BYTES * (HEADER_LONGS + 1 + records * (hashes + 1L));
                if (records < 0 || channel.size() != expected) {
                    throw damaged("it has " + channel.size() + " bytes, and " + records + " records need " + expected);
                }
            } catch (IOException e) {
                throw QuernException.io(path + " cannot be read", e);
            }
        }

        long records() {
            return records;
        }

        /// The record that was read last.
        long[] record() {
            return record;
        }

        /// Reads the next record, or false at the end, when the checksum is verified.
        boolean advance() {
            if (read == records) {
                long stored = next();
                long computed = checksum.getValue();
                if (stored != computed) {
                    throw damaged("its checksum is " + computed + " instead of " + stored);
                }
                return false;
            }
            long[] reused = previous;
            previous = record;
            record = reused;
            for (int i = 0; i <= hashes; i++) {
                record[i] = next();
            }
            if (read > 0 && compare(previous, 0, record, 0, hashes) > 0) {
                throw damaged("record " + read + " is smaller than the one before it");
            }
            if (known) {
                record[hashes] = Clusters.KNOWN;
            }
            read++;
            return true;
        }

        private long next() {
            try {
                while (buffer.remaining() < Long.BYTES) {
                    int kept = buffer.remaining();
                    int count = channel.read(buffer.compact());
                    buffer.flip();
                    if (count < 0) {
                        throw damaged("it ends early");
                    }
                    int checked = Math.toIntExact(Math.min(count, uncheckedBytes));
                    checksum.update(buffer.slice(kept, checked));
                    uncheckedBytes -= checked;
                }
            } catch (IOException e) {
                throw QuernException.io(path + " cannot be read", e);
            }
            return buffer.getLong();
        }

        private QuernException damaged(String problem) {
            return QuernException.data(path + " is not as it was written: " + problem + "; delete it and make it anew");
        }

        @Override
        public void close() {
            try {
                channel.close();
            } catch (IOException e) {
                throw QuernException.io(path + " cannot be closed", e);
            }
        }
    }
}
