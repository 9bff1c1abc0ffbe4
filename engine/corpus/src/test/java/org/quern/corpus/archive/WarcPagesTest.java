package org.quern.corpus.archive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.corpus.archive.Warcs.gzip;
import static org.quern.corpus.archive.Warcs.join;
import static org.quern.corpus.archive.Warcs.read;
import static org.quern.corpus.archive.Warcs.record;
import static org.quern.corpus.archive.Warcs.response;
import static org.quern.corpus.archive.Warcs.zstd;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdDictTrainer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.corpus.Page;
import org.quern.corpus.archive.Warcs.Read;

final class WarcPagesTest {
    @TempDir
    private Path folder;

    @Test
    void readsAPageWithAllThatItsRecordSays() throws IOException {
        byte[] first = record("warcinfo", "", "application/warc-fields", "software: x\r\n");
        byte[] page = response("https://example.org/ä", "<p>grüße</p>");
        Read read = read(folder, "a.warc", join(first, page));
        assertThat(read.pages()).hasSize(1);
        Page found = read.pages().getFirst();
        assertThat(found.id()).isEqualTo("a.warc:" + first.length);
        assertThat(found.url()).isEqualTo("https://example.org/ä");
        assertThat(found.date()).isEqualTo("2026-01-02T03:04:05Z");
        assertThat(found.contentType()).isEqualTo("text/html; charset=utf-8");
        assertThat(found.robots()).isEqualTo("noai");
        assertThat(found.license()).isEqualTo("https://example.org/cc-by");
        assertThat(new String(found.html(), StandardCharsets.UTF_8)).isEqualTo("<p>grüße</p>");
        assertThat(read.reader().passedOver().counts()).isEqualTo(Map.of("warcinfo", 1L));
        assertThat(read.reader().bad().counts()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"a.warc", "a.warc.gz", "a.warc.zst"})
    void findsRecordsOneByOneInEachCompression(String name) throws IOException {
        List<byte[]> members = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            members.add(compressed(name, response("https://example.org/" + i, "x".repeat(i * 977))));
        }
        Read read = read(folder, name, join(members.toArray(byte[][]::new)));
        assertThat(read.pages()).hasSize(40);
        long position = 0;
        for (int i = 0; i < 40; i++) {
            assertThat(read.pages().get(i).id()).isEqualTo(name + ":" + position);
            assertThat(read.pages().get(i).html()).hasSize(i * 977);
            position += members.get(i).length;
        }
        assertThat(read.reader().bytesRead()).isEqualTo(position);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a.warc.gz", "a.warc.zst"})
    void findsRecordsOfAFileCompressedAsAWhole(String name) throws IOException {
        byte[] both = join(response("https://example.org/1", "one"), response("https://example.org/2", "two"));
        Read read = read(folder, name, compressed(name, both));
        assertThat(read.pages().stream().map(Page::id)).containsExactly(name + ":0", name + ":0.1");
    }

    @Test
    void readsZstandardWithItsDictionary() throws IOException {
        ZstdDictTrainer trainer = new ZstdDictTrainer(1 << 20, 1 << 12);
        for (int i = 0; i < 500; i++) {
            trainer.addSample(response("https://example.org/" + i, "<p>a sample of a page " + i * 31 + "</p>"));
        }
        byte[] dictionary = trainer.trainSamples();
        byte[] skippable = ByteBuffer.allocate(8 + dictionary.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0x184d2a5d)
                .putInt(dictionary.length)
                .put(dictionary)
                .array();
        byte[] frame;
        try (ZstdCompressCtx context = new ZstdCompressCtx()) {
            frame = context.loadDict(dictionary).compress(response("https://example.org/x", "<p>a page</p>"));
        }
        assertThat(read(folder, "a.warc.zst", join(skippable, frame)).urls()).containsExactly("https://example.org/x");
        byte[] squeezed = Zstd.compress(dictionary);
        byte[] again = ByteBuffer.allocate(8 + squeezed.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0x184d2a5d)
                .putInt(squeezed.length)
                .put(squeezed)
                .array();
        assertThat(read(folder, "b.warc.zst", join(again, frame)).urls()).containsExactly("https://example.org/x");
    }

    @Test
    void decodesWhatServersEncode() throws IOException {
        byte[] body = gzip("<p>small</p>".getBytes(StandardCharsets.US_ASCII));
        StringBuilder http = new StringBuilder("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                + "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n");
        http.append(Integer.toHexString(5)).append("\r\n");
        byte[] head = http.toString().getBytes(StandardCharsets.US_ASCII);
        byte[] chunks = join(
                Arrays.copyOf(body, 5),
                ("\r\n" + Integer.toHexString(body.length - 5) + "\r\n").getBytes(StandardCharsets.US_ASCII),
                Arrays.copyOfRange(body, 5, body.length),
                "\r\n0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        byte[] header = ("WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: <http://example.org/>\r\n"
                        + "WARC-Date: 2026-01-02T03:04:05Z\r\nContent-Type: application/http;msgtype=response\r\n"
                        + "Content-Length: " + (head.length + chunks.length) + "\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII);
        byte[] end = "\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
        Read read = read(folder, "a.warc", join(header, head, chunks, end));
        assertThat(read.reader().bad().counts()).isEmpty();
        assertThat(new String(read.pages().getFirst().html(), StandardCharsets.US_ASCII))
                .isEqualTo("<p>small</p>");
        assertThat(read.urls()).containsExactly("http://example.org/");
    }

    @Test
    void readsTextOfConversions() throws IOException {
        byte[] wet = record("conversion", "https://example.org/", "text/plain", "Grüße\nvon hier");
        Page page = read(folder, "a.warc.wet.gz", gzip(wet)).pages().getFirst();
        assertThat(page.text()).isEqualTo("Grüße\nvon hier");
        assertThat(page.html()).isEmpty();
    }

    @Test
    void passesOverWhatIsNoPage() throws IOException {
        String type = "application/http; msgtype=response";
        Read read = read(
                folder,
                "a.warc",
                join(
                        record(
                                "request",
                                "https://example.org/",
                                "application/http; msgtype=request",
                                "GET / HTTP/1.1\r\n\r\n"),
                        record(
                                "response",
                                "https://example.org/",
                                type,
                                "HTTP/1.1 404 No\r\nContent-Type: text/html\r\n\r\nx"),
                        record(
                                "response",
                                "https://example.org/",
                                type,
                                "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\nx"),
                        record("metadata", "https://example.org/", "application/warc-fields", "a: b\r\n"),
                        record("response", "dns:example.org", "text/dns", "example.org 1 IN A 1.2.3.4"),
                        response("https://example.org/", "yes")));
        assertThat(read.pages()).hasSize(1);
        assertThat(read.reader().passedOver().counts())
                .isEqualTo(Map.of("request", 1L, "status_4xx", 1L, "not_html", 1L, "metadata", 1L, "not_http", 1L));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a.warc", "a.warc.gz", "a.warc.zst"})
    void passesOverRecordsThatAreTooLarge(String name) throws IOException {
        byte[] bytes = join(
                compressed(name, response("https://example.org/1", "one")),
                compressed(name, response("https://example.org/2", "x".repeat(3 << 20))),
                compressed(name, response("https://example.org/3", "three")));
        Read read = read(folder, name, bytes);
        assertThat(read.urls()).containsExactly("https://example.org/1", "https://example.org/3");
        assertThat(read.reader().bad().counts()).isEqualTo(Map.of("too_large", 1L));
    }

    @Test
    void passesOverAPageThatIsTooLargeWhenDecoded() throws IOException {
        byte[] bomb = gzip(new byte[8 << 20]);
        byte[] head = ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII);
        byte[] header = ("WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://example.org/\r\n"
                        + "WARC-Date: 2026-01-02T03:04:05Z\r\nContent-Type: application/http\r\n"
                        + "Content-Length: " + (head.length + bomb.length) + "\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII);
        byte[] end = "\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
        Read read = read(folder, "a.warc", join(header, head, bomb, end));
        assertThat(read.pages()).isEmpty();
        assertThat(read.reader().bad().counts()).isEqualTo(Map.of("too_large", 1L));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a.warc", "a.warc.gz", "a.warc.zst"})
    void losesOnlyTheRecordThatIsCutOff(String name) throws IOException {
        byte[] first = compressed(name, response("https://example.org/1", "one"));
        byte[] second = compressed(name, response("https://example.org/2", "two".repeat(1000)));
        for (int cut = 1; cut < second.length; cut += 13) {
            Read read = read(folder, name, join(first, Arrays.copyOf(second, cut)));
            assertThat(read.urls()).containsExactly("https://example.org/1");
            assertThat(read.reader().bad().counts().values()).containsExactly(1L);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"a.warc", "a.warc.gz"})
    void losesOnlyTheRecordThatLiesAboutItsLength(String name) throws IOException {
        for (String length :
                List.of("2", "170", "171", "180", "2000", "999999999999", "-1", "x", "99999999999999999999")) {
            String lie = new String(response("https://example.org/2", "two"), StandardCharsets.UTF_8)
                    .replaceFirst("Content-Length: \\d+", "Content-Length: " + length);
            byte[] bytes = join(
                    compressed(name, response("https://example.org/1", "one")),
                    compressed(name, lie.getBytes(StandardCharsets.UTF_8)),
                    compressed(name, response("https://example.org/3", "three")));
            Read read = read(folder, name, bytes);
            assertThat(read.urls()).as(length).containsExactly("https://example.org/1", "https://example.org/3");
            assertThat(read.reader().bad().counts().values()).as(length).containsExactly(1L);
        }
    }

    /// A changed byte, a lost piece or a doubled piece of a file: all pages of records that it does not touch
    /// are read as they were, once each, in order.
    @ParameterizedTest
    @ValueSource(strings = {"a.warc", "a.warc.gz", "a.warc.zst"})
    void losesNothingButTheRecordsThatAreHit(String name) throws IOException {
        Random random = new Random(7);
        List<byte[]> members = new ArrayList<>();
        List<String> urls = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            StringBuilder html = new StringBuilder();
            for (int j = random.nextInt(300); j > 0; j--) {
                html.append(Integer.toString(random.nextInt(1 << 20), 36)).append(j % 9 == 0 ? "\r\n\r\n" : " ");
            }
            urls.add("https://example.org/" + i);
            members.add(compressed(name, response(urls.get(i), html.toString())));
        }
        byte[] whole = join(members.toArray(byte[][]::new));
        List<byte[]> pages =
                read(folder, name, whole).pages().stream().map(Page::html).toList();
        for (int mutation = 0; mutation < 350; mutation++) {
            int from = random.nextInt(whole.length);
            int to = Math.min(whole.length, from + 1 + (mutation % 3 == 0 ? 0 : random.nextInt(2000)));
            byte[] changed = switch (mutation % 4) {
                case 0 -> flipped(whole, from, random);
                case 1 -> join(Arrays.copyOf(whole, from), Arrays.copyOfRange(whole, to, whole.length));
                case 2 -> join(Arrays.copyOf(whole, to), Arrays.copyOfRange(whole, from, whole.length));
                default -> noise(whole, from, to, random);
            };
            Read read = read(folder, name, changed);
            Set<String> hit = hit(members, urls, from, to);
            List<String> untouched =
                    urls.stream().filter(url -> !hit.contains(url)).toList();
            assertThat(read.urls().stream().filter(untouched::contains).distinct())
                    .as("mutation %d at %d to %d", mutation, from, to)
                    .containsExactlyElementsOf(untouched);
            for (Page page : read.pages()) {
                if (untouched.contains(page.url())) {
                    assertThat(page.html()).isEqualTo(pages.get(urls.indexOf(page.url())));
                }
            }
            Set<String> ids = new HashSet<>();
            assertThat(read.pages()).allMatch(page -> ids.add(page.id()));
        }
    }

    private static byte[] flipped(byte[] bytes, int at, Random random) {
        byte[] changed = bytes.clone();
        changed[at] ^= (byte) (1 << random.nextInt(8));
        return changed;
    }

    private static byte[] noise(byte[] bytes, int from, int to, Random random) {
        byte[] changed = bytes.clone();
        for (int i = from; i < to; i++) {
            changed[i] = (byte) random.nextInt();
        }
        return changed;
    }

    private static Set<String> hit(List<byte[]> members, List<String> urls, int from, int to) {
        Set<String> hit = new HashSet<>();
        int start = 0;
        for (int i = 0; i < members.size(); i++) {
            int end = start + members.get(i).length;
            if (from < end && to > start) {
                hit.add(urls.get(i));
            }
            start = end;
        }
        return hit;
    }

    private static byte[] compressed(String name, byte[] record) {
        return name.endsWith(".gz") ? gzip(record) : name.endsWith(".zst") ? zstd(record) : record;
    }
}
