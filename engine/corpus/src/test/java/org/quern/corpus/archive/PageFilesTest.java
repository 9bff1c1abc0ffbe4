package org.quern.corpus.archive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.quern.corpus.archive.Warcs.gzip;
import static org.quern.corpus.archive.Warcs.read;
import static org.quern.corpus.archive.Warcs.zstd;

import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;
import org.quern.corpus.Page;
import org.quern.corpus.archive.ParquetWriter.Column;
import org.quern.corpus.archive.Warcs.Read;

final class PageFilesTest {
    @TempDir
    private Path folder;

    @Test
    void readsLinesOfJson() throws IOException {
        byte[] lines = ("{\"text\": \"one\", \"url\": \"https://example.org/\", \"date\": \"2026-01-02\", \"n\": [1]}\n"
                        + "\n{\"text\": 3}\nnonsense\n{\"text\": \"two\", \"id\": \"x\"}")
                .getBytes(StandardCharsets.UTF_8);
        for (Map.Entry<String, byte[]> file : Map.of(
                        "a.jsonl", lines, "a.jsonl.gz", gzip(lines), "a.jsonl.zst", zstd(lines))
                .entrySet()) {
            Read read = read(folder, file.getKey(), file.getValue());
            assertThat(read.pages().stream().map(Page::text)).containsExactly("one", "two");
            assertThat(read.pages().stream().map(Page::id)).containsExactly(file.getKey() + ":0", file.getKey() + ":4");
            assertThat(read.pages().getFirst().date()).isEqualTo("2026-01-02");
            assertThat(read.pages().getLast().origin().recordId()).isEqualTo("x");
            assertThat(read.reader().bad().counts()).isEqualTo(Map.of("no_json_page", 2L));
        }
    }

    @Test
    void readsLinesOfJsonUpToWhereTheyAreBroken() throws IOException {
        byte[] lines = "{\"text\": \"one\"}\n".repeat(20_000).getBytes(StandardCharsets.UTF_8);
        byte[] whole = gzip(lines);
        Read read = read(folder, "a.jsonl.gz", Arrays.copyOf(whole, whole.length / 2));
        assertThat(read.pages()).hasSizeBetween(1000, 19_000);
        assertThat(read.reader().bad().counts()).isEqualTo(Map.of("broken_compression", 1L));
    }

    @Test
    void readsTheParquetThatItWrites() throws IOException {
        Path file = folder.resolve("a.parquet");
        Random random = new Random(5);
        List<String> texts = random.ints(3000, 0, 900)
                .mapToObj(length -> "é" + Integer.toString(random.nextInt(), 36).repeat(length))
                .toList();
        write(file, texts);
        Read read = read(new ArchiveFile.Local("a.parquet", file), 1 << 20);
        assertThat(read.pages().stream().map(Page::text)).containsExactlyElementsOf(texts);
        assertThat(read.pages().getLast().url()).isEqualTo("https://example.org/2999");
        assertThat(read.pages().getLast().id()).isEqualTo("a.parquet:2999");
        byte[] again = Files.readAllBytes(file);
        write(file, texts);
        assertThat(Files.readAllBytes(file)).isEqualTo(again);
    }

    @Test
    void passesOverParquetThatIsCutOff() throws IOException {
        Path file = folder.resolve("a.parquet");
        write(file, List.of("one", "two", "three"));
        byte[] whole = Files.readAllBytes(file);
        assertThat(read(folder, "b.parquet", Arrays.copyOf(whole, 40))
                        .reader()
                        .bad()
                        .counts())
                .isEqualTo(Map.of("broken_parquet", 1L));
    }

    /// A changed byte, or a piece of noise: whatever the library makes of it, reading comes to an end, and what is
    /// broken is counted.
    @Test
    @Timeout(value = 5, unit = TimeUnit.MINUTES)
    void comesToTheEndOfDamagedParquet() throws IOException {
        Path file = folder.resolve("a.parquet");
        Random random = new Random(11);
        List<String> texts = random.ints(400, 0, 90)
                .mapToObj(length -> Integer.toString(random.nextInt(), 36).repeat(length))
                .toList();
        write(file, texts);
        byte[] whole = Files.readAllBytes(file);
        for (int mutation = 0; mutation < 250; mutation++) {
            byte[] changed = whole.clone();
            // Half of them in the last kilobyte, where the footer is.
            int from = mutation % 2 == 0 ? random.nextInt(whole.length) : whole.length - 1 - random.nextInt(1024);
            int to = mutation % 4 < 2 ? from + 1 : Math.min(whole.length, from + 1 + random.nextInt(300));
            for (int i = from; i < to; i++) {
                changed[i] ^= (byte) (1 + random.nextInt(255));
            }
            // A file of its own: the library maps it, and a thread of it may be left.
            Path damaged = Files.write(folder.resolve(mutation + ".parquet"), changed);
            Read read =
                    read(new ParquetPages(new ArchiveFile.Local("b.parquet", damaged), 1 << 20, Duration.ofSeconds(3)));
            assertThat(read.reader().bad().counts().keySet())
                    .as("mutation %d at %d to %d", mutation, from, to)
                    .isSubsetOf("broken_parquet", "no_text_column", "too_large");
            assertThat(read.pages()).hasSizeLessThanOrEqualTo(texts.size());
        }
    }

    private static void write(Path file, List<String> texts) throws IOException {
        List<Column> columns = List.of(
                new Column.Text("text"), new Column.Text("url"), new Column.Real("score"), new Column.Whole("n"));
        try (OutputStream out = Files.newOutputStream(file);
                ParquetWriter writer = new ParquetWriter(out, columns, 1 << 20)) {
            for (int i = 0; i < texts.size(); i++) {
                writer.add(List.of(texts.get(i), "https://example.org/" + i, i / 7.0, (long) i));
            }
        }
    }

    @Test
    void archivesAFolder() throws IOException {
        Path site = Files.createDirectories(folder.resolve("site/sub folder"));
        Files.writeString(site.resolve("ä.html"), "<p>two</p>");
        Files.writeString(site.resolveSibling("index.htm"), "<p>one</p>");
        Files.writeString(site.resolve("x.css"), "");
        for (String name : List.of("out.warc", "out.warc.gz")) {
            Path warc = folder.resolve(name);
            assertThat(FolderArchiver.archive(folder.resolve("site"), URI.create("https://example.org/"), warc))
                    .isEqualTo(2);
            Read read = read(new ArchiveFile.Local(name, warc), 1 << 20);
            assertThat(read.urls())
                    .containsExactly("https://example.org/index.htm", "https://example.org/sub%20folder/%C3%A4.html");
            assertThat(read.pages().getFirst().html()).asString().isEqualTo("<p>one</p>");
            assertThat(read.pages().getFirst().origin().payloadDigest()).startsWith("sha1:");
            assertThat(read.reader().bad().counts()).isEmpty();
            byte[] again = Files.readAllBytes(warc);
            FolderArchiver.archive(folder.resolve("site"), URI.create("https://example.org/"), warc);
            assertThat(Files.readAllBytes(warc)).isEqualTo(again);
        }
    }

    @Test
    void saysThatAFolderHoldsNoPages() {
        assertThatThrownBy(() -> FolderArchiver.archive(folder, URI.create("https://x/"), folder.resolve("x.warc")))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining("expected files ending in .html");
    }
}
