package org.quern.corpus.archive;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.netpreserve.jwarc.HttpResponse;
import org.netpreserve.jwarc.MessageBody;
import org.netpreserve.jwarc.MessageHeaders;
import org.netpreserve.jwarc.WarcConversion;
import org.netpreserve.jwarc.WarcReader;
import org.netpreserve.jwarc.WarcRecord;
import org.netpreserve.jwarc.WarcResource;
import org.netpreserve.jwarc.WarcResponse;
import org.netpreserve.jwarc.WarcTargetRecord;
import org.quern.corpus.Page;
import org.quern.corpus.archive.WarcRecords.Found;

/// Pages of WARC and WET: responses with status 200 and resources that are HTML, and conversions to plain text.
final class WarcPages extends PageReader {
    private static final Set<String> HTML = Set.of("text/html", "application/xhtml+xml");
    private static final int OK = 200;

    private final ArchiveFile file;
    private final WarcRecords records;
    private final int maxPageBytes;

    WarcPages(ArchiveFile file, int maxPageBytes) throws IOException {
        this.file = file;
        this.maxPageBytes = maxPageBytes;
        records = new WarcRecords(file, maxPageBytes, bad);
    }

    @Override
    public Optional<Page> next() throws IOException {
        while (true) {
            Optional<Found> found = records.next();
            if (found.isEmpty()) {
                return Optional.empty();
            }
            try {
                Optional<Page> page = page(found.get());
                if (page.isPresent()) {
                    return page;
                }
            } catch (BadRecord e) {
                bad.add(e.kind());
            } catch (IOException | IllegalArgumentException | DateTimeException e) {
                // The bytes are in memory: it is they that are wrong.
                bad.add("unreadable");
            }
        }
    }

    private Optional<Page> page(Found found) throws IOException, BadRecord {
        try (WarcReader reader = new WarcReader(new ByteArrayInputStream(found.bytes()))) {
            WarcRecord record = reader.next().orElseThrow(() -> new BadRecord("no_record"));
            return switch (record) {
                case WarcResponse response -> response(found, response);
                case WarcResource resource -> resource(found, resource);
                case WarcConversion conversion -> conversion(found, conversion);
                default -> passOver(record.type().toLowerCase(Locale.ROOT));
            };
        }
    }

    private Optional<Page> passOver(String what) {
        passedOver.add(what);
        return Optional.empty();
    }

    private Optional<Page> response(Found found, WarcResponse record) throws IOException, BadRecord {
        if (!record.contentType().base().toString().equals("application/http")) {
            return passOver("not_http");
        }
        HttpResponse http = record.http();
        MessageHeaders headers = http.headers();
        String type = headers.first("Content-Type").orElse("");
        if (http.status() != OK) {
            return passOver("status_" + http.status() / 100 + "xx");
        }
        if (!HTML.contains(mediaType(type))) {
            return passOver("not_html");
        }
        byte[] html = bytes(http.bodyDecoded());
        return Optional.of(Page.ofHtml(origin(found, record), url(record), date(record), type, html)
                .withRights(String.join(", ", headers.all("X-Robots-Tag")), license(headers.all("Link"))));
    }

    private Optional<Page> resource(Found found, WarcResource record) throws IOException, BadRecord {
        String type = record.headers().first("Content-Type").orElse("");
        if (!HTML.contains(mediaType(type))) {
            return passOver("not_html");
        }
        return Optional.of(Page.ofHtml(origin(found, record), url(record), date(record), type, bytes(record.body())));
    }

    private Optional<Page> conversion(Found found, WarcConversion record) throws IOException, BadRecord {
        String type = record.headers().first("Content-Type").orElse("");
        if (!mediaType(type).equals("text/plain")) {
            return passOver("not_text");
        }
        String text = new String(bytes(record.body()), StandardCharsets.UTF_8);
        return Optional.of(Page.ofText(origin(found, record), url(record), date(record), text));
    }

    private byte[] bytes(MessageBody body) throws IOException, BadRecord {
        try (InputStream in = body.stream()) {
            byte[] bytes = in.readNBytes(maxPageBytes + 1);
            if (bytes.length > maxPageBytes) {
                throw new BadRecord("too_large");
            }
            return bytes;
        }
    }

    private Page.Origin origin(Found found, WarcRecord record) {
        MessageHeaders headers = record.headers();
        return new Page.Origin(
                file.name(),
                found.position(),
                found.index(),
                headers.first("WARC-Record-ID").orElse(""),
                headers.first("WARC-Payload-Digest").orElse(""));
    }

    private static String url(WarcTargetRecord record) {
        return Optional.ofNullable(record.target()).orElse("");
    }

    private static String date(WarcRecord record) {
        return record.headers().first("WARC-Date").isPresent() ? record.date().toString() : "";
    }

    private static String mediaType(String contentType) {
        return contentType.split(";", 2)[0].strip().toLowerCase(Locale.ROOT);
    }

    /// The target of `Link: <https://example.org/licence>; rel="license"`.
    private static String license(List<String> links) {
        for (String link : String.join(",", links).split(",(?=\\s*<)")) {
            int open = link.indexOf('<');
            int close = link.indexOf('>');
            if (open >= 0
                    && close > open
                    && link.substring(close).matches("(?i)(?s).*;\\s*rel\\s*=\\s*\"?license\\b.*")) {
                return link.substring(open + 1, close).strip();
            }
        }
        return "";
    }

    @Override
    public long bytesRead() {
        return records.bytesRead();
    }

    @Override
    public void close() throws IOException {
        records.close();
    }
}
