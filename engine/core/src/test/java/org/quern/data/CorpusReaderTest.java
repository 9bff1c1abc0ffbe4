package org.quern.data;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

class CorpusReaderTest {
    @TempDir
    Path folder;

    @Test
    void readsLinesOfJson() throws IOException {
        Path file = write("a.jsonl", """
                {"text": "one\\n\\u00e9\\ud83d\\ude00", "title": "First\\none"}
                {"meta": {"text": ["x"]}, "id": 17, "text": "two"}

                {"text": "", "title": "empty"}
                {"title": null, "text": "three"}\r
                {"text": "no line break at the end"}""");
        assertThat(names(file)).containsExactly("a.jsonl:1 First one", "a.jsonl:2 17", "a.jsonl:5", "a.jsonl:6");
        assertThat(texts(file)).containsExactly("one\né😀", "two", "three", "no line break at the end");
    }

    @Test
    void readsCompressedFilesAndCountsTheirBytes() throws IOException {
        byte[] first = gzip("{\"text\": \"one\"}\n".getBytes(UTF_8));
        byte[] second = gzip("{\"text\": \"two\"}\n".getBytes(UTF_8));
        byte[] members = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, members, first.length, second.length);
        Path jsonl = Files.write(folder.resolve("a.jsonl.gz"), members);
        Path text = Files.write(folder.resolve("b.txt.gz"), gzip("three".getBytes(UTF_8)));
        assertThat(texts(jsonl, text)).containsExactly("one", "two", "three");
        try (CorpusReader reader = new CorpusReader(List.of(jsonl, text))) {
            reader.forEachRemaining(_ -> {});
            assertThat(reader.bytesRead()).isEqualTo(Files.size(jsonl) + Files.size(text));
        }
    }

    @Test
    void takesATextFileAsOneDocument() throws IOException {
        Path file = write("a.txt", "\nLine one\nline two\n");
        assertThat(texts(file)).containsExactly("\nLine one\nline two\n");
        assertThat(names(file)).containsExactly("a.txt:1");
    }

    @Test
    void givesTheTextOfALongFileInParts() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int i = 0; text.length() < 3_500_000; i++) {
            text.append(i % 3 == 0 ? "A line.\n" : i % 3 == 1 ? "  another \n\n" : "1, 2; \u00E9;\n");
        }
        Path file = write("a.txt", text + "\f\nthe second");
        List<String> parts = new ArrayList<>();
        try (CorpusReader reader = new CorpusReader(List.of(file))) {
            reader.texts().forEachRemaining(part -> parts.add(new String(part, UTF_8)));
        }

        String whole = text.substring(0, text.length() - 1);
        assertThat(String.join("", parts)).isEqualTo(whole + "the second");
        assertThat(parts).hasSizeBetween(4, 5).last().isEqualTo("the second");
        assertThat(parts.subList(1, parts.size() - 1)).allMatch(part -> part.startsWith("A"));
        assertThat(texts(file)).containsExactly(whole, "the second");
    }

    @Test
    void dividesATextFileAtFormFeeds() throws IOException {
        Path file = write("a.txt", "one\n\f\ntwo\r\n\f\r\n\nthree\f\f\n\ffour\n");
        assertThat(texts(file)).containsExactly("one", "two", "\nthree", "four\n");
        assertThat(names(file)).containsExactly("a.txt:1", "a.txt:2", "a.txt:4", "a.txt:7");
    }

    @Test
    void dropsAByteOrderMark() throws IOException {
        assertThat(texts(write("a.txt", "\uFEFFone"))).containsExactly("one");
        assertThat(texts(write("a.jsonl", "\uFEFF{\"text\": \"one\"}"))).containsExactly("one");
        assertThat(texts(write("b.txt", ""))).isEmpty();
        assertThat(texts(write("c.txt", "x"))).containsExactly("x");
    }

    /// Documents longer than the read buffer, and separators on its border.
    @ParameterizedTest
    @ValueSource(ints = {65_534, 65_535, 65_536, 65_537, 200_000})
    void readsAcrossItsBuffer(int length) throws IOException {
        String text = "é".repeat(length / 2) + "x".repeat(length % 2);
        assertThat(texts(write("a.txt", text + "\n\f\n" + text))).containsExactly(text, text);
        assertThat(texts(write("a.jsonl", "{\"text\":\"" + text + "\"}\n{\"text\":\"" + text + "\"}\n")))
                .containsExactly(text, text);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"text\": \"x\"           | expected a JSON object, found ",
                "[\"text\"]                 | expected an object such as {\"text\": \"...\"}, found an array",
                "text                       | expected a JSON object, found ",
                "{\"body\": \"x\"}          | expected the key \"text\", found an object without it",
                "{\"text\": 17}             | expected a string as \"text\", found 17",
                "{\"text\": null}           | expected a string as \"text\", found null",
                "{\"text\": {\"a\": 1}}     | expected a string as \"text\", found an object",
                "{\"text\": \"a\"} {}       | expected one object, found more behind it, at byte ",
                "{\"text\":\"a\",\"text\":\"b\"} | expected a JSON object, found Duplicate ",
                "{\"text\": \"\\ud83d\"}    | expected Unicode text, found half of a surrogate pair",
            })
    void rejectsALineThatIsNoDocument(String line, String message) throws IOException {
        Path file = write("a.jsonl", "{\"text\": \"fine\"}\n" + line + "\n{\"text\": \"fine\"}\n");
        assertData(() -> texts(file)).hasMessageContaining("a.jsonl:2: " + message);
    }

    @Test
    void rejectsInvalidUtf8() throws IOException {
        Path text = Files.write(folder.resolve("a.txt"), "one\ntwo\nth\377ee".getBytes(StandardCharsets.ISO_8859_1));
        assertData(() -> texts(text))
                .hasMessage(text + ":3: expected UTF-8, found byte 0xFF, 10 bytes into the document");
        Path lines = Files.write(
                folder.resolve("a.jsonl"),
                "{\"text\": \"x\"}\n{\"text\": \"\351\"}".getBytes(StandardCharsets.ISO_8859_1));
        assertData(() -> texts(lines))
                .hasMessage(lines + ":2: expected UTF-8, found byte 0xE9, 10 bytes into the line");
    }

    @Test
    void rejectsATruncatedGzipFile() throws IOException {
        String line = "{\"text\": \"" + "abc".repeat(1000) + "\"}\n";
        byte[] whole = gzip(line.repeat(100).getBytes(UTF_8));
        for (int length : new int[] {0, 1, 9, 30, whole.length / 2, whole.length - 8, whole.length - 1}) {
            Path file = Files.write(folder.resolve("a.jsonl.gz"), Arrays.copyOf(whole, length));
            assertData(() -> texts(file))
                    .hasMessageContaining("expected a whole gzip file, found one that is cut off or corrupt");
        }
        Path plain = Files.write(folder.resolve("b.txt.gz"), "not compressed".getBytes(UTF_8));
        assertData(() -> texts(plain)).hasMessageContaining("b.txt.gz:1: expected a whole gzip file");
    }

    @Test
    void rejectsACorruptGzipFile() throws IOException {
        byte[] bytes = gzip("abc".repeat(1000).getBytes(UTF_8));
        bytes[bytes.length - 6] ^= 1;
        Path file = Files.write(folder.resolve("a.txt.gz"), bytes);
        assertData(() -> texts(file)).hasMessageContaining("cut off or corrupt (Corrupt GZIP trailer)");
    }

    /// Against the JDK's decoder, on random mixtures of valid and broken sequences.
    @Test
    void findsInvalidUtf8WhereTheJdkDoes() {
        Random random = new Random(5);
        String[] pieces = {"a", "é", "€", "😀", "\uD7FF", "\uE000", "\uFFFF"};
        int invalid = 0;
        for (int round = 0; round < 20_000; round++) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            for (int i = random.nextInt(4); i >= 0; i--) {
                out.writeBytes(pieces[random.nextInt(pieces.length)].getBytes(UTF_8));
            }
            byte[] bytes = out.toByteArray();
            if (random.nextBoolean()) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            int expected = jdkFirstInvalid(bytes);
            assertThat(Utf8.firstInvalid(bytes, 0, bytes.length)).isEqualTo(expected);
            invalid += expected < 0 ? 0 : 1;
        }
        assertThat(invalid).isGreaterThan(5000);
    }

    private static int jdkFirstInvalid(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        CoderResult result = UTF_8.newDecoder().decode(in, CharBuffer.allocate(bytes.length), true);
        return result.isError() ? in.position() : -1;
    }

    private Path write(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, text);
    }

    static byte[] gzip(byte[] bytes) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(bytes);
        }
        return out.toByteArray();
    }

    private static List<Document> read(Path... files) {
        List<Document> documents = new ArrayList<>();
        try (CorpusReader reader = new CorpusReader(List.of(files))) {
            reader.forEachRemaining(documents::add);
        }
        return documents;
    }

    private static List<String> texts(Path... files) {
        return read(files).stream()
                .map(document -> new String(document.text(), UTF_8))
                .toList();
    }

    private static List<String> names(Path... files) {
        return read(files).stream().map(Document::name).toList();
    }

    private static AbstractThrowableAssert<?, ? extends Throwable> assertData(ThrowingCallable call) {
        return assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA));
    }
}
