package org.quern.corpus.archive;

import com.github.luben.zstd.Zstd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.GZIPOutputStream;
import org.quern.corpus.Page;

/// WARC files by hand, and what is read of them.
final class Warcs {
    private Warcs() {}

    static byte[] response(String url, String html) {
        String http = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nX-Robots-Tag: noai\r\n"
                + "Link: </x.css>; rel=stylesheet, <https://example.org/cc-by>; rel=\"license\"\r\n\r\n" + html;
        return record("response", url, "application/http; msgtype=response", http);
    }

    static byte[] record(String type, String url, String contentType, String content) {
        byte[] body = content.getBytes(StandardCharsets.UTF_8);
        String header = "WARC/1.1\r\nWARC-Type: " + type + "\r\nWARC-Record-ID: <urn:uuid:"
                + java.util.UUID.nameUUIDFromBytes((type + url).getBytes(StandardCharsets.UTF_8))
                + ">\r\nWARC-Date: 2026-01-02T03:04:05Z\r\nWARC-Target-URI: " + url + "\r\nContent-Type: "
                + contentType + "\r\nContent-Length: " + body.length + "\r\n\r\n";
        return join(header.getBytes(StandardCharsets.UTF_8), body, "\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    }

    static byte[] gzip(byte[] bytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    static byte[] zstd(byte[] bytes) {
        return Zstd.compress(bytes);
    }

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    /// @param pages in order
    record Read(List<Page> pages, PageReader reader) {
        List<String> urls() {
            return pages.stream().map(Page::url).toList();
        }
    }

    static Read read(Path folder, String name, byte[] bytes) throws IOException {
        Path file = Files.write(folder.resolve(name), bytes);
        return read(new ArchiveFile.Local(name, file), 1 << 20);
    }

    static Read read(ArchiveFile file, int maxPageBytes) throws IOException {
        return read(PageReader.open(file, maxPageBytes));
    }

    static Read read(PageReader opened) throws IOException {
        List<Page> pages = new ArrayList<>();
        try (PageReader reader = opened) {
            for (Optional<Page> page = reader.next(); page.isPresent(); page = reader.next()) {
                pages.add(page.get());
            }
            return new Read(pages, reader);
        }
    }
}
