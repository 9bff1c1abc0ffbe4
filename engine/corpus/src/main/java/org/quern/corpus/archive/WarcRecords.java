package org.quern.corpus.archive;

import java.io.IOException;
import java.io.PushbackInputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.zip.ZipException;

/// Finds the records of a WARC file. Records that are broken, lie about their length, are cut off or too large are
/// counted by kind and passed over, up to the next member of a compressed file or the next record of a plain one.
final class WarcRecords implements AutoCloseable {
    private static final int MAX_HEADER_BYTES = 1 << 16;
    private static final byte[] END = "\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

    /// A record whole in memory.
    ///
    /// @param position of its member in the file
    /// @param index in its member
    record Found(long position, int index, byte[] bytes) {}

    private final Members members;
    private final FileWindow window;
    private final boolean plain;
    private final int maxRecordBytes;
    private final Tally bad;
    private PushbackInputStream member;
    private int index;

    WarcRecords(ArchiveFile file, int maxRecordBytes, Tally bad) throws IOException {
        window = new FileWindow(file);
        members = file.name().endsWith(".gz")
                ? new GzipMembers(window)
                : file.name().endsWith(".zst") ? new ZstdMembers(window) : new PlainMembers(window);
        plain = members instanceof PlainMembers;
        this.maxRecordBytes = maxRecordBytes;
        this.bad = bad;
    }

    /// The next that can be read.
    Optional<Found> next() throws IOException {
        while (true) {
            try {
                if (member == null) {
                    if (!members.next()) {
                        return Optional.empty();
                    }
                    member = new PushbackInputStream(members.content(), END.length);
                    index = 0;
                }
                Optional<byte[]> record = record();
                if (record.isPresent()) {
                    Found found = new Found(members.position(), index++, record.get());
                    member = plain ? null : member;
                    return Optional.of(found);
                }
            } catch (BadRecord e) {
                bad.add(e.kind());
                members.skip();
                member = null;
            } catch (ZipException _) {
                bad.add("broken_compression");
                members.resynchronize();
                member = null;
            }
        }
    }

    long bytesRead() {
        return window.position();
    }

    /// Empty at the end of the member, and for a record that is too large.
    private Optional<byte[]> record() throws IOException, BadRecord {
        int first = member.read();
        while (first == '\r' || first == '\n') {
            first = member.read();
        }
        if (first < 0) {
            member = null;
            return Optional.empty();
        }
        member.unread(first);
        byte[] header = header();
        long length = contentLength(header);
        if (plain && length > window.size() - window.position()) {
            throw new BadRecord("cut_off");
        }
        if (length > maxRecordBytes) {
            skip(length);
            bad.add("too_large");
            member = plain ? null : member;
            return Optional.empty();
        }
        byte[] content = member.readNBytes((int) length);
        if (content.length < length) {
            throw new BadRecord("cut_off");
        }
        checkEnd();
        byte[] record = Arrays.copyOf(header, header.length + content.length + END.length);
        System.arraycopy(content, 0, record, header.length, content.length);
        System.arraycopy(END, 0, record, header.length + content.length, END.length);
        return Optional.of(record);
    }

    private void skip(long length) throws IOException, BadRecord {
        if (plain) {
            window.seek(window.position() + length);
            return;
        }
        try {
            member.skipNBytes(length);
        } catch (java.io.EOFException e) {
            throw new BadRecord("cut_off");
        }
    }

    /// Up to and with the empty line behind it.
    private byte[] header() throws IOException, BadRecord {
        byte[] header = new byte[1 << 10];
        int length = 0;
        while (true) {
            int value = member.read();
            if (value < 0) {
                throw new BadRecord("cut_off");
            }
            if (length == header.length) {
                header = Arrays.copyOf(header, 2 * length);
            }
            header[length++] = (byte) value;
            if (length <= Members.WARC.length && value != Members.WARC[length - 1] || length > MAX_HEADER_BYTES) {
                throw new BadRecord("no_record");
            }
            if (value == '\n' && endsWithEmptyLine(header, length)) {
                return Arrays.copyOf(header, length);
            }
        }
    }

    private static boolean endsWithEmptyLine(byte[] header, int length) {
        boolean withReturn = header[length - 2] == '\r' && header[length - 3] == '\n';
        return header[length - 2] == '\n' || withReturn;
    }

    private static long contentLength(byte[] header) throws BadRecord {
        String text = new String(header, StandardCharsets.ISO_8859_1).toLowerCase(Locale.ROOT);
        int at = text.indexOf("\ncontent-length:");
        if (at < 0) {
            throw new BadRecord("no_length");
        }
        String value = text.substring(text.indexOf(':', at) + 1, text.indexOf('\n', at + 1));
        try {
            long length = Long.parseLong(value.strip());
            if (length < 0) {
                throw new BadRecord("no_length");
            }
            return length;
        } catch (NumberFormatException e) {
            throw new BadRecord("no_length");
        }
    }

    /// What follows a record's content is two line ends, or the end. That the end of a compressed member is in order
    /// shows when it is read.
    private void checkEnd() throws IOException, BadRecord {
        byte[] end = member.readNBytes(END.length);
        if (end.length == 0 || Arrays.equals(end, END)) {
            if (!plain && end.length > 0) {
                int next = member.read();
                if (next >= 0) {
                    member.unread(next);
                }
            }
            return;
        }
        if (end.length >= 2 && end[0] == '\n' && end[1] == '\n') {
            member.unread(end, 2, end.length - 2);
            return;
        }
        throw new BadRecord("wrong_length");
    }

    @Override
    public void close() throws IOException {
        members.close();
    }
}
