package org.quern.corpus.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.QuernException;
import org.quern.config.ConfigReader;
import org.quern.corpus.CorpusConfig;
import org.quern.corpus.archive.PageReader;
import org.quern.corpus.archive.ParquetWriter;
import org.quern.store.Location;
import org.quern.store.ObjectStore;
import org.quern.store.S3Server;
import org.quern.store.Stores;

/// Inputs in an S3 server beside the same files here.
final class StoredInputsTest {
    @TempDir
    private Path folder;

    private S3Server server;
    private ObjectStore store;

    @BeforeEach
    void start() {
        server = new S3Server();
        store = server.open("");
    }

    @AfterEach
    void stop() {
        store.close();
        server.close();
    }

    /// Both here, below `in`, and in the bucket.
    private void put(String key, byte[] content) throws IOException {
        Path file = folder.resolve("in").resolve(key);
        Files.createDirectories(file.getParent());
        Files.write(file, content);
        store.put(key, content);
    }

    private static byte[] warc(int pages, long seed) {
        Random random = new Random(seed);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int i = 0; i < pages; i++) {
            StringBuilder text = new StringBuilder("<html><body><p>");
            for (int word = 0; word < 200; word++) {
                text.append(Integer.toString(random.nextInt(46656), 36)).append(word % 12 == 11 ? ".\n" : " ");
            }
            String http = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + text + "</p></body></html>";
            out.writeBytes(record("response", seed * 1000 + i, http.getBytes(StandardCharsets.UTF_8)));
        }
        return out.toByteArray();
    }

    private static byte[] record(String type, long number, byte[] content) {
        String head = """
                WARC/1.1\r
                WARC-Type: %s\r
                WARC-Record-ID: <urn:uuid:%d>\r
                WARC-Date: 2026-01-02T03:04:05Z\r
                WARC-Target-URI: https://example.org/%d\r
                Content-Type: application/http; msgtype=response\r
                Content-Length: %d\r
                \r
                """.formatted(type, number, number, content.length);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(head.getBytes(StandardCharsets.UTF_8));
            gzip.write(content);
            gzip.write("\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        return out.toByteArray();
    }

    private static byte[] parquet() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (ParquetWriter writer = new ParquetWriter(out, List.of(new ParquetWriter.Column.Text("text")), 1 << 20)) {
            for (int i = 0; i < 200; i++) {
                writer.add(List.of("The text of page %d, of its own.".formatted(i)));
            }
        }
        return out.toByteArray();
    }

    private CorpusReport build(String run, String inputs) throws IOException {
        Path file = Files.writeString(folder.resolve("corpus.yaml"), """
                inputs: [%s]
                gopher_repetition: off
                gopher_quality: off
                c4_quality: off
                fineweb_quality: off
                """.formatted(inputs));
        CorpusConfig config = ConfigReader.read(file, CorpusConfig.class, List.of());
        return new CorpusRun(config, folder.resolve(run), (_, _, _, _) -> {}, Optional.empty(), server.environment())
                .build();
    }

    private void assertSame(String run, String other) throws IOException {
        for (String file : List.of("report.json", "samples.jsonl", "text/00000.parquet")) {
            assertThat(folder.resolve(run).resolve(file))
                    .hasSameBinaryContentAs(folder.resolve(other).resolve(file));
        }
    }

    @Test
    void makesTheSameCorpusOfObjectsAsOfFiles() throws IOException {
        put("crawl/a.warc.gz", warc(20, 1));
        // More than is read at once, and the rest behind it.
        byte[] noise = new byte[9 << 20];
        new Random(3).nextBytes(noise);
        ByteArrayOutputStream large = new ByteArrayOutputStream();
        large.writeBytes(warc(20, 2));
        large.writeBytes(record("metadata", 0, noise));
        large.writeBytes(warc(20, 4));
        put("crawl/deep/b.warc.gz", large.toByteArray());
        put("crawl/c d.parquet", parquet());
        put("crawl/e.jsonl", "{\"text\": \"One line of JSON.\"}\n".getBytes(StandardCharsets.UTF_8));
        put("crawl/readme.txt", new byte[] {1});
        CorpusReport report = build("here", "in/crawl");
        server.fail(3);
        assertThat(build("stored", "s3://tests/crawl")).isEqualTo(report);
        assertSame("stored", "here");
        assertThat(report.files()).isEqualTo(4);
        assertThat(report.bad()).isEmpty();
        assertThat(report.output().pages()).isEqualTo(62);
    }

    @Test
    void takesPatternsFilesAndFolders() throws IOException {
        for (String key : List.of("x/a.jsonl", "x/b.jsonl", "x/y/c.jsonl", "xx/d.jsonl", "e.jsonl")) {
            put(key, "{\"text\": \"A text.\"}\n".getBytes(StandardCharsets.UTF_8));
        }
        assertThat(names("s3://tests/x/*.jsonl")).containsExactly("a.jsonl", "b.jsonl");
        assertThat(names("s3://tests/x/**.jsonl")).containsExactly("a.jsonl", "b.jsonl", "y/c.jsonl");
        assertThat(names("s3://tests/x")).containsExactly("a.jsonl", "b.jsonl", "y/c.jsonl");
        assertThat(names("s3://tests/x*/?.jsonl")).containsExactly("x/a.jsonl", "x/b.jsonl", "xx/d.jsonl");
        assertThat(names("s3://tests/x/b.jsonl")).containsExactly("b.jsonl");
        assertThat(names("s3://tests")).hasSize(5);
        assertThatThrownBy(() -> names("s3://tests/nothing/"))
                .isInstanceOf(QuernException.class)
                .hasMessageContainingAll("s3://tests/nothing/", "found none");
    }

    private List<String> names(String input) {
        try (Stores stores = new Stores(server.environment())) {
            return Inputs.find(Location.stored(input), stores).stream()
                    .map(Inputs.Found::name)
                    .toList();
        }
    }

    @Test
    void readsAgainOnlyWhatHasChanged() throws IOException {
        put("a.jsonl", "{\"text\": \"The first text.\"}\n".getBytes(StandardCharsets.UTF_8));
        put("b.jsonl", "{\"text\": \"The other text.\"}\n".getBytes(StandardCharsets.UTF_8));
        build("run", "s3://tests");
        RunFolder run = new RunFolder(folder.resolve("run"));
        byte[] first = Files.readAllBytes(run.partitionReport("a.jsonl"));
        byte[] other = Files.readAllBytes(run.partitionReport("b.jsonl"));
        put("b.jsonl", "{\"text\": \"The third text.\"}\n".getBytes(StandardCharsets.UTF_8));
        build("run", "s3://tests");
        assertThat(Files.readAllBytes(run.partitionReport("a.jsonl"))).isEqualTo(first);
        assertThat(Files.readAllBytes(run.partitionReport("b.jsonl"))).isNotEqualTo(other);
        build("fresh", "s3://tests");
        assertSame("run", "fresh");
    }

    @Test
    void refusesAnObjectThatIsAnotherThanWasListed() throws IOException {
        byte[] content = parquet();
        for (String key : List.of("a.jsonl", "a.parquet")) {
            put(key, content);
            try (Stores stores = new Stores(server.environment())) {
                Inputs.Found found = Inputs.find(Location.stored("s3://tests/" + key), stores)
                        .getFirst();
                Partition partition = new Partition(key, 0, found.place(), found.size(), found.version());
                content[100] ^= 1;
                put(key, content);
                assertReplaced(partition, stores, found.version());
                put(key, new byte[0]);
                assertReplaced(partition, stores, found.version());
                store.delete(key);
                assertReplaced(partition, stores, "none");
            }
        }
    }

    private static void assertReplaced(Partition partition, Stores stores, String found) {
        assertThatThrownBy(() -> {
                    try (PageReader reader = PageReader.open(partition.file(stores), 1 << 20)) {
                        while (reader.next().isPresent()) {
                            // to the end
                        }
                    }
                })
                .isInstanceOf(QuernException.class)
                .hasMessageContainingAll(partition.name(), "was replaced or removed", found);
    }

    @Test
    void saysWhatIsWrongWithAPlace() {
        assertThatThrownBy(() -> build("run", "\"s3://key:canary@bucket/x\", s3://X/y"))
                .isInstanceOf(QuernException.class)
                .hasMessageContainingAll("inputs[0] must be s3://BUCKET", "inputs[1] must be s3://BUCKET")
                .hasMessageNotContaining("canary");
    }
}
