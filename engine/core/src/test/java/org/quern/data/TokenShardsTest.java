package org.quern.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

class TokenShardsTest {
    /// Bytes, and end-of-text after them.
    static final TokenKind KIND = new TokenKind("00112233445566778899aabbccddeeff".repeat(2), 257, 256);

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "257, 1",
        "257, 2",
        "65536, 13",
        "65537, 13",
        "257, 207",
        "70000, 207",
        "65536, 1000000",
        "65537, 1000000"
    })
    void givesBackWhatWasWritten(int vocabSize, long shardTokens) throws IOException {
        TokenKind kind = new TokenKind(KIND.tokenizer(), vocabSize, vocabSize - 1);
        TokenShardWriter writer = new TokenShardWriter(folder, kind, "r", shardTokens);
        Random random = new Random(1);
        List<Integer> expected = new ArrayList<>();
        long bytes = 0;
        int documents = 30;
        for (int document = 0; document < documents; document++) {
            int[] tokens = random.ints(random.nextInt(50), 0, kind.endOfText()).toArray();
            writer.add("n" + document, tokens, 3L * tokens.length);
            expected.add(kind.endOfText());
            for (int token : tokens) {
                expected.add(token);
            }
            bytes += 3L * tokens.length;
        }
        Manifest written = writer.finish();
        written.write(folder);
        Manifest manifest = Manifest.read(folder);
        assertThat(manifest).isEqualTo(written);
        assertThat(manifest.tokens()).isEqualTo(expected.size());
        assertThat(manifest.documents()).isEqualTo(documents);
        assertThat(manifest.textBytes()).isEqualTo(bytes);
        assertThat(manifest.tokenBytes()).isEqualTo(vocabSize <= 65536 ? 2 : 4);
        assertThat(manifest.shards())
                .allMatch(shard -> shard.tokens() <= shardTokens || shard.documents() == 1)
                .allMatch(shard -> shard.documents() > 0);

        TokenShards shards = TokenShards.open(folder, KIND.tokenizer());
        List<Long> verified = new ArrayList<>();
        shards.verify(verified::add);
        assertThat(verified.getLast()).isEqualTo(shards.bytes());
        assertThat(LlmcShardsTest.tokens(shards))
                .containsExactly(expected.stream().mapToInt(Integer::intValue).toArray());
        assertThat(shards.documents()).hasValue(documents);
        assertThat(shards.documents(LongStream.of(0), expected.size()))
                .hasSize(documents)
                .startsWith("n0", "n1")
                .endsWith("n29");
    }

    @Test
    void keepsItsLayout() throws IOException {
        write(100);
        ByteBuffer file =
                ByteBuffer.wrap(Files.readAllBytes(folder.resolve("00000.tok"))).order(ByteOrder.LITTLE_ENDIAN);
        assertThat(file.capacity()).isEqualTo(128 + 16 + 2 * 8);
        assertThat(new String(file.array(), 0, 8, StandardCharsets.US_ASCII)).isEqualTo("QUERNTOK");
        assertThat(file.getInt(8)).isEqualTo(1);
        assertThat(file.getInt(12)).isEqualTo(2);
        assertThat(file.getLong(16)).isEqualTo(7);
        assertThat(file.getLong(24)).isEqualTo(2);
        assertThat(file.getShort(128)).isEqualTo((short) 256);
        assertThat(file.getShort(130)).isEqualTo((short) 1);
        assertThat(file.getLong(144)).isEqualTo(0);
        assertThat(file.getLong(152)).isEqualTo(4);
        assertThat(folder.resolve("00000.names")).hasContent("one\ntwo\n");
    }

    @Test
    void namesDocumentsByNumberWithoutTheirNames() throws IOException {
        write(100);
        Files.delete(folder.resolve("00000.names"));
        assertThat(TokenShards.open(folder, KIND.tokenizer()).documents(LongStream.of(5, 6), 1))
                .containsExactly("00000.tok document 1");
    }

    @Test
    void rejectsAMissingFolder() {
        assertOpen(folder.resolve("none"))
                .hasMessage(folder.resolve("none/manifest.json") + ": expected a file of JSON, found none");
    }

    @Test
    void rejectsAMissingShard() throws IOException {
        write(4);
        Files.delete(folder.resolve("00001.tok"));
        assertOpen(folder).hasMessage(folder.resolve("00001.tok") + ": expected a file of tokens, found no such file");
    }

    @Test
    void rejectsAnotherTokenizer() {
        write(100);
        String other = "ff".repeat(32);
        assertThatThrownBy(() -> TokenShards.open(folder, other))
                .isInstanceOf(QuernException.class)
                .hasMessageStartingWith(folder.resolve("manifest.json") + ": expected tokens of tokenizer " + other
                        + ", found " + KIND.tokenizer());
    }

    @Test
    void rejectsATruncatedShard() throws IOException {
        write(100);
        byte[] bytes = Files.readAllBytes(folder.resolve("00000.tok"));
        for (int length = 0; length < bytes.length; length++) {
            replace("00000.tok", Arrays.copyOf(bytes, length));
            assertOpen(folder)
                    .hasMessage(folder.resolve("00000.tok")
                            + (length < 128
                                    ? ": expected a header of 128 bytes, found a file of " + length + " bytes"
                                    : ": expected size in bytes 160, found " + length));
        }
        replace("00000.tok", Arrays.copyOf(bytes, bytes.length + 1));
        assertOpen(folder).hasMessageContaining(": expected size in bytes 160, found 161");
    }

    /// Every byte but the padding matters to someone.
    @Test
    void rejectsAnyChangedByte() throws IOException {
        write(100);
        byte[] bytes = Files.readAllBytes(folder.resolve("00000.tok"));
        for (int at = 0; at < bytes.length; at++) {
            if (at >= 142 && at < 144) {
                continue;
            }
            byte[] changed = bytes.clone();
            changed[at] ^= 0x10;
            replace("00000.tok", changed);
            assertThatThrownBy(() -> TokenShards.open(folder, KIND.tokenizer()).verify(_ -> {}))
                    .as("byte %d", at)
                    .isInstanceOfSatisfying(
                            QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA))
                    .hasMessageStartingWith(folder.resolve("00000.tok") + ": expected ");
        }
    }

    @Test
    void rejectsChangedTokensWhenVerified() throws IOException {
        write(100);
        byte[] bytes = Files.readAllBytes(folder.resolve("00000.tok"));
        bytes[130] ^= 4;
        replace("00000.tok", bytes);
        TokenShards shards = TokenShards.open(folder, KIND.tokenizer());
        assertThatThrownBy(() -> shards.verify(_ -> {}))
                .hasMessageMatching(".*00000.tok: expected CRC32C [0-9a-f]{8} of its tokens, found [0-9a-f]{8}: "
                        + "the file is corrupt, make or copy it again");
    }

    @Test
    void rejectsATokenOutsideTheVocabularyWhenRead() throws IOException {
        write(100);
        byte[] bytes = Files.readAllBytes(folder.resolve("00000.tok"));
        bytes[131] = 2;
        replace("00000.tok", bytes);
        TokenShards shards = TokenShards.open(folder, KIND.tokenizer());
        assertThatThrownBy(() -> LlmcShardsTest.tokens(shards))
                .isInstanceOf(QuernException.class)
                .hasMessage(folder.resolve("00000.tok")
                        + ": expected tokens below the vocabulary size 257, found 513 at token 1");
    }

    @Test
    void rejectsAShardOfAnotherFolder() throws IOException {
        write(100);
        byte[] bytes = Files.readAllBytes(folder.resolve("00000.tok"));
        TokenShardWriter writer = new TokenShardWriter(folder, KIND, "r", 100);
        writer.add("one", new int[] {1, 2, 4}, 3);
        writer.add("two", new int[] {4, 5}, 2);
        writer.finish().write(folder);
        replace("00000.tok", bytes);
        assertOpen(folder).hasMessageContaining("00000.tok: expected tokens with the CRC32C ");
    }

    @Test
    void rejectsABrokenManifest() throws IOException {
        write(100);
        String manifest = Files.readString(folder.resolve("manifest.json"));
        assertManifest(manifest.substring(0, manifest.length() / 2), "expected a JSON object, found ");
        assertManifest(
                manifest.replace("quern tokens", "others"),
                "expected a manifest with format \"quern tokens\", found \"others\"");
        assertManifest(manifest.replace("\"version\" : 1", "\"version\" : 2"), "expected version 1, found 2");
        assertManifest(manifest.replace("\"vocab_size\"", "\"size\""), "expected a manifest of token shards, found ");
        assertManifest(manifest.replaceAll("\"shards\" : .*", "\"shards\" : [null]}"), "expected ");
        assertManifest("[]", "expected a JSON object");
        assertManifest("", "expected a JSON object");
        assertManifest(manifest.replace("\"tokens\" : 7,", "\"tokens\" : 8,"), "expected tokens as ");
        assertManifest(
                manifest.replaceAll("\"crc32c\" : \"[0-9a-f]+\"", "\"crc32c\" : \"zz\""),
                "expected tokens with the CRC32C zz that ");
    }

    /// Linux has a device that is always full.
    @Test
    void saysThatTheDiskIsFull() throws IOException {
        Path full = Path.of("/dev/full");
        assumeThat(full).exists();
        Files.createSymbolicLink(folder.resolve("00000.tok.tmp"), full);
        try (TokenShardWriter writer = new TokenShardWriter(folder, KIND, "r", 100)) {
            assertThatThrownBy(() -> writer.add("one", new int[] {1}, 1))
                    .isInstanceOfSatisfying(
                            QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.IO))
                    .hasMessage(
                            folder.resolve("00000.tok")
                                    + ": cannot be written (No space left on device): free some space, or choose another folder");
        }
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void leavesNothingWhenGivenUp() throws IOException {
        try (TokenShardWriter writer = new TokenShardWriter(folder, KIND, "r", 100)) {
            writer.add("one", new int[] {1, 2, 3}, 3);
            assertThat(folder.resolve("00000.tok.tmp")).exists();
        }
        assertThat(folder).isEmptyDirectory();
    }

    /// Two documents, of 3 and 2 tokens.
    private void write(long shardTokens) {
        TokenShardWriter writer = new TokenShardWriter(folder, KIND, "r", shardTokens);
        writer.add("one", new int[] {1, 2, 3}, 3);
        writer.add("two", new int[] {4, 5}, 2);
        writer.finish().write(folder);
    }

    /// A new file in the place of the old one, which may still be mapped.
    private void replace(String name, byte[] bytes) throws IOException {
        Files.delete(folder.resolve(name));
        Files.write(folder.resolve(name), bytes);
    }

    private void assertManifest(String text, String message) throws IOException {
        Files.writeString(folder.resolve("manifest.json"), text);
        assertOpen(folder).hasMessageContaining(message).hasMessageContaining(folder.toString());
    }

    private static AbstractThrowableAssert<?, ? extends Throwable> assertOpen(Path folder) {
        return assertThatThrownBy(() -> TokenShards.open(folder, KIND.tokenizer()))
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA));
    }
}
