package org.quern.corpus.archive;

import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.quern.corpus.Page;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;

/// Pages of JSONL: `text` of each line's object, with `url`, `date` and `id` where it has them. Lines that are wrong
/// are passed over, and what follows where the compression is broken.
final class JsonLinesPages extends PageReader {
    private static final JsonFactory JSON = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxStringLength(Integer.MAX_VALUE)
                    .build())
            .build();

    private final ArchiveFile file;
    private final int maxPageBytes;
    private final Counting compressed;
    private InputStream in;
    private final byte[] buffer = new byte[1 << 16];
    private int next;
    private int end;
    private byte[] line = new byte[1 << 12];
    private int length;
    private boolean tooLong;
    private long lines;

    JsonLinesPages(ArchiveFile file, int maxPageBytes) throws IOException {
        this.file = file;
        this.maxPageBytes = maxPageBytes;
        compressed = new Counting(file.open(0));
    }

    @Override
    public Optional<Page> next() throws IOException {
        while (readLine()) {
            Optional<Page> page = page();
            if (page.isPresent()) {
                return page;
            }
        }
        return Optional.empty();
    }

    private Optional<Page> page() {
        if (tooLong) {
            bad.add("too_large");
            return Optional.empty();
        }
        while (length > 0 && line[length - 1] >= 0 && line[length - 1] <= ' ') {
            length--;
        }
        if (length == 0) {
            return Optional.empty();
        }
        try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), line, 0, length)) {
            return Optional.of(page(parser));
        } catch (JacksonException | BadRecord e) {
            bad.add("no_json_page");
            return Optional.empty();
        }
    }

    private Page page(JsonParser parser) throws BadRecord {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw new BadRecord("no_json_page");
        }
        String text = null;
        String url = "";
        String date = "";
        String id = "";
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String key = parser.currentName();
            boolean isText = parser.nextToken() == JsonToken.VALUE_STRING;
            switch (isText ? key : "") {
                case "text" -> text = parser.getString();
                case "url" -> url = parser.getString();
                case "date" -> date = parser.getString();
                case "id" -> id = parser.getString();
                default -> parser.skipChildren();
            }
        }
        if (text == null || parser.nextToken() != null) {
            throw new BadRecord("no_json_page");
        }
        return Page.ofText(new Page.Origin(file.name(), lines - 1, 0, id, ""), url, date, text);
    }

    private boolean readLine() throws IOException {
        length = 0;
        tooLong = false;
        try {
            if (in == null) {
                in = decompressed();
            }
            boolean any = false;
            while (true) {
                if (next == end) {
                    next = 0;
                    end = Math.max(0, in.read(buffer));
                    if (end == 0) {
                        lines += any ? 1 : 0;
                        return any;
                    }
                }
                any = true;
                int from = next;
                while (next < end && buffer[next] != '\n') {
                    next++;
                }
                append(from, next);
                if (next < end) {
                    next++;
                    lines++;
                    return true;
                }
            }
        } catch (ZipException | EOFException | com.github.luben.zstd.ZstdIOException _) {
            bad.add("broken_compression");
            in = InputStream.nullInputStream();
            next = end;
            return false;
        }
    }

    private InputStream decompressed() throws IOException {
        String name = file.name();
        return name.endsWith(".gz")
                ? new GZIPInputStream(compressed, 1 << 16)
                : name.endsWith(".zst") ? new ZstdInputStreamNoFinalizer(compressed) : compressed;
    }

    private void append(int from, int to) {
        long needed = (long) length + to - from;
        if (needed > maxPageBytes) {
            tooLong = true;
            return;
        }
        if (needed > line.length) {
            line = Arrays.copyOf(line, (int) Math.min(maxPageBytes, 2 * needed));
        }
        System.arraycopy(buffer, from, line, length, to - from);
        length = (int) needed;
    }

    @Override
    public long bytesRead() {
        return compressed.count;
    }

    @Override
    public void close() throws IOException {
        compressed.close();
    }

    private static final class Counting extends FilterInputStream {
        private long count;

        Counting(InputStream in) {
            super(in);
        }

        @Override
        public int read() throws IOException {
            int value = super.read();
            count += value < 0 ? 0 : 1;
            return value;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            int read = super.read(bytes, offset, length);
            count += Math.max(0, read);
            return read;
        }
    }
}
