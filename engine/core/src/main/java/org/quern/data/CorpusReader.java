package org.quern.data;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;

/// Streams the documents of text files, in the order of the files and of the documents in them.
///
/// - `.jsonl`, `.jsonl.gz`: an object a line; `text` is the document and `title`, else `id`, its name. Blank
///   lines are passed over.
/// - `.txt`, `.txt.gz`: one document, or several with a form feed between them; line breaks beside a form feed
///   belong to neither.
///
/// A byte-order mark is dropped, and so are empty documents. What is not valid UTF-8 or JSON, lacks its text or ends
/// too early is a [QuernException] (data) with the file and line.
public final class CorpusReader implements DocumentReader {
    /// The ends of the names of files that this reader reads.
    public static final List<String> SUFFIXES = List.of(".jsonl", ".jsonl.gz", ".txt", ".txt.gz");

    private static final int MAX_DOCUMENT_BYTES = 1 << 30;
    /// Long texts come in parts of about this size where they may.
    private static final int PART_BYTES = 1 << 20;

    private static final JsonFactory JSON = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxStringLength(MAX_DOCUMENT_BYTES)
                    .build())
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private final List<Path> files;
    private final byte[] buffer = new byte[1 << 16];
    private int bufferAt;
    private int bufferEnd;
    private byte[] record = new byte[1 << 16];
    private int recordLength;
    private int nextFile;
    /// Whether a text may come in parts.
    private boolean inParts;

    private long bytesOfClosedFiles;

    private Path file;
    private CountingStream compressed;
    private InputStream text;
    private boolean lines;
    /// The line in `file` on which the current record begins, from 1.
    private long line;

    private long nextLine;
    private int documentsInFile;
    private Document next;

    public CorpusReader(List<Path> files) {
        this.files = List.copyOf(files);
    }

    /// Bytes read from the files so far, as they are on disk.
    @Override
    public long bytesRead() {
        return bytesOfClosedFiles + (compressed == null ? 0 : compressed.count);
    }

    @Override
    public boolean hasNext() {
        if (next == null) {
            next = readDocument();
        }
        return next != null;
    }

    @Override
    public Document next() {
        if (!hasNext()) {
            throw new NoSuchElementException("no more documents");
        }
        Document document = next;
        next = null;
        return document;
    }

    /// The texts alone of the documents to come, to count their words: a long one of a `.txt` comes in parts,
    /// so that it need not fit into memory. A part ends with a line and before a letter of ASCII, where no
    /// tokenizer has a word across.
    @Override
    public Iterator<byte[]> texts() {
        inParts = true;
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return CorpusReader.this.hasNext();
            }

            @Override
            public byte[] next() {
                return CorpusReader.this.next().text();
            }
        };
    }

    /// Null after the last.
    private Document readDocument() {
        try {
            while (true) {
                if (text == null && !openNext()) {
                    return null;
                }
                if (!readRecord()) {
                    closeFile();
                    continue;
                }
                int invalid = Utf8.firstInvalid(record, 0, recordLength);
                if (invalid >= 0) {
                    throw QuernException.data("%s:%d: expected UTF-8, found byte 0x%02X, %d bytes into the %s"
                            .formatted(
                                    file,
                                    line + lineBreaks(invalid),
                                    record[invalid],
                                    invalid,
                                    lines ? "line" : "document"));
                }
                Document document = lines ? parseLine() : textDocument();
                if (document != null && document.text().length > 0) {
                    return document;
                }
            }
        } catch (EOFException | ZipException e) {
            throw new QuernException(
                    ExitCode.DATA,
                    "%s:%d: expected a whole gzip file, found one that is cut off or corrupt (%s)"
                            .formatted(file, nextLine, e.getMessage()),
                    e);
        } catch (IOException e) {
            throw QuernException.io(file + ": cannot be read", e);
        }
    }

    private boolean openNext() throws IOException {
        if (nextFile == files.size()) {
            return false;
        }
        file = files.get(nextFile++);
        nextLine = 1;
        documentsInFile = 0;
        bufferAt = 0;
        bufferEnd = 0;
        compressed = new CountingStream(new BufferedInputStream(Files.newInputStream(file), 1 << 16));
        text = compressed;
        String name = file.toString();
        if (name.endsWith(".gz")) {
            text = new GZIPInputStream(compressed, 1 << 16);
            name = name.substring(0, name.length() - 3);
        }
        lines = name.endsWith(".jsonl");
        skipByteOrderMark();
        return true;
    }

    private void skipByteOrderMark() throws IOException {
        bufferEnd = text.readNBytes(buffer, 0, 3);
        if (bufferEnd == 3 && buffer[0] == (byte) 0xEF && buffer[1] == (byte) 0xBB && buffer[2] == (byte) 0xBF) {
            bufferAt = 3;
        }
    }

    /// Reads up to the next separator into `record`. False at the end of the file.
    private boolean readRecord() throws IOException {
        byte separator = (byte) (lines ? '\n' : '\f');
        recordLength = 0;
        line = nextLine;
        boolean any = false;
        while (true) {
            if (bufferAt == bufferEnd) {
                bufferAt = 0;
                bufferEnd = Math.max(0, text.read(buffer));
                if (bufferEnd == 0) {
                    return any;
                }
            }
            any = true;
            int end = bufferAt;
            boolean endOfPart = false;
            while (end < bufferEnd && buffer[end] != separator && !endOfPart) {
                if (buffer[end] == '\n') {
                    nextLine++;
                }
                end++;
                endOfPart = inParts && !lines && recordLength + end - bufferAt >= PART_BYTES && endsPart(end);
            }
            append(bufferAt, end);
            bufferAt = end;
            if (endOfPart) {
                return true;
            }
            if (end < bufferEnd) {
                bufferAt++;
                if (lines) {
                    nextLine++;
                }
                return true;
            }
        }
    }

    /// Whether a visible sign and a line end come before `i` in the buffer, and a letter behind them.
    private boolean endsPart(int i) {
        return i >= 2
                && i < bufferEnd
                && buffer[i - 1] == '\n'
                && buffer[i - 2] > ' '
                && buffer[i - 2] < 0x7F
                && (buffer[i] | 0x20) >= 'a'
                && (buffer[i] | 0x20) <= 'z';
    }

    private void append(int from, int to) {
        int length = recordLength + to - from;
        if (length > MAX_DOCUMENT_BYTES || length < 0) {
            throw QuernException.data("%s:%d: expected a document of at most %d bytes, found a longer one"
                    .formatted(file, line, MAX_DOCUMENT_BYTES));
        }
        if (length > record.length) {
            record = Arrays.copyOf(record, (int) Math.min(MAX_DOCUMENT_BYTES, Math.max(length, 2L * record.length)));
        }
        System.arraycopy(buffer, from, record, recordLength, to - from);
        recordLength = length;
    }

    private long lineBreaks(int to) {
        long count = 0;
        for (int i = 0; i < to; i++) {
            if (record[i] == '\n') {
                count++;
            }
        }
        return count;
    }

    private Document textDocument() {
        int from = 0;
        int to = recordLength;
        if (documentsInFile > 0) {
            from += startsWithBreak();
        }
        documentsInFile++;
        boolean beforeFormFeed = bufferAt > 0 && buffer[bufferAt - 1] == '\f' && to > from;
        if (beforeFormFeed && record[to - 1] == '\n') {
            to--;
            if (to > from && record[to - 1] == '\r') {
                to--;
            }
        }
        return new Document(file.getFileName() + ":" + line, Arrays.copyOfRange(record, from, to));
    }

    private int startsWithBreak() {
        if (recordLength > 0 && record[0] == '\n') {
            return 1;
        }
        return recordLength > 1 && record[0] == '\r' && record[1] == '\n' ? 2 : 0;
    }

    private Document parseLine() {
        int length = recordLength;
        while (length > 0 && record[length - 1] <= ' ' && record[length - 1] >= 0) {
            length--;
        }
        if (length == 0) {
            return null;
        }
        String text = null;
        String title = null;
        String id = null;
        try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), record, 0, length)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw wrongLine("an object such as {\"text\": \"...\"}", describe(parser));
            }
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String key = parser.currentName();
                JsonToken value = parser.nextToken();
                switch (key) {
                    case "text" -> {
                        if (value != JsonToken.VALUE_STRING) {
                            throw wrongLine("a string as \"text\"", describe(parser));
                        }
                        text = parser.getString();
                    }
                    case "title" -> title = name(parser);
                    case "id" -> id = name(parser);
                    default -> parser.skipChildren();
                }
            }
            if (parser.nextToken() != null) {
                throw wrongLine(
                        "one object",
                        "more behind it, at byte "
                                + parser.currentTokenLocation().getByteOffset());
            }
        } catch (JacksonException e) {
            throw wrongLine("a JSON object", e.getOriginalMessage());
        }
        if (text == null) {
            throw wrongLine("the key \"text\"", "an object without it");
        }
        String name = title != null ? title : id;
        String place = file.getFileName() + ":" + line;
        return new Document(name == null ? place : place + " " + name.replaceAll("\\R", " "), utf8(text));
    }

    /// A string or a number; null for anything else.
    private static String name(JsonParser parser) {
        return switch (parser.currentToken()) {
            case VALUE_STRING, VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> parser.getString();
            default -> {
                parser.skipChildren();
                yield null;
            }
        };
    }

    private static String describe(JsonParser parser) {
        JsonToken token = parser.currentToken();
        return switch (token) {
            case START_ARRAY -> "an array";
            case START_OBJECT -> "an object";
            case null -> "nothing";
            default -> parser.getString();
        };
    }

    private byte[] utf8(String text) {
        try {
            ByteBuffer bytes = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
            return Arrays.copyOf(bytes.array(), bytes.limit());
        } catch (CharacterCodingException e) {
            throw wrongLine("Unicode text", "half of a surrogate pair (\\uD800 to \\uDFFF)");
        }
    }

    private QuernException wrongLine(String expected, String found) {
        return QuernException.data("%s:%d: expected %s, found %s".formatted(file, line, expected, found));
    }

    private void closeFile() throws IOException {
        if (text != null) {
            bytesOfClosedFiles += compressed.count;
            text.close();
            text = null;
            compressed = null;
        }
    }

    @Override
    public void close() {
        try {
            closeFile();
        } catch (IOException e) {
            throw QuernException.io(file + ": cannot be closed", e);
        }
    }

    /// Counts what is taken from a file.
    private static final class CountingStream extends FilterInputStream {
        private long count;

        CountingStream(InputStream in) {
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
