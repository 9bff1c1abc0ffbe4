package org.quern.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;

class LlmcShardsTest {
    private static final int END_OF_TEXT = 50256;

    @TempDir
    Path folder;

    /// By hand: 20240520 is 0x0134D888; tokens 50256, 1, 65535.
    private static byte[] golden16() {
        return HexFormat.of()
                .parseHex("88d83401" + "01000000" + "03000000" + "00".repeat(1012) + "50c4" + "0100" + "ffff");
    }

    /// By hand: 20240801 is 0x0134D9A1; tokens 128000, 1.
    private static byte[] golden32() {
        return HexFormat.of()
                .parseHex("a1d93401" + "07000000" + "02000000" + "00".repeat(1012) + "00f40100" + "01000000");
    }

    @Test
    void reads16BitTokens() throws IOException {
        TokenShards shards = open(golden16(), 65536);
        assertThat(tokens(shards)).containsExactly(50256, 1, 65535);
        assertThat(shards.documents()).isEmpty();
        shards.verify(_ -> {});
        assertThat(shards.documents(LongStream.of(1, 0), 2)).containsExactly("a.bin token 0", "a.bin token 1");
    }

    @Test
    void reads32BitTokens() throws IOException {
        assertThat(tokens(open(golden32(), 128256))).containsExactly(128000, 1);
    }

    @Test
    void writesTheSameBytes() throws IOException {
        for (byte[] golden : List.of(golden16(), golden32())) {
            int vocabSize = golden.length == 1030 ? 65536 : 128256;
            List<Path> files = LlmcShards.write(open(golden, vocabSize), folder.resolve("out"), "copy", 100);
            assertThat(files).containsExactly(folder.resolve("out/copy_000000.bin"));
            assertThat(files.getFirst()).hasBinaryContent(golden);
        }
    }

    @Test
    void cutsAcrossFilesOfOurs() {
        TokenShardWriter writer = new TokenShardWriter(folder, TokenShardsTest.KIND, "r", 10);
        int[] expected = new int[35];
        for (int document = 0; document < 5; document++) {
            int[] tokens = {document, 1, 2, 3, 4, 5};
            writer.add("d", tokens, 6);
            expected[document * 7] = 256;
            System.arraycopy(tokens, 0, expected, document * 7 + 1, 6);
        }
        writer.finish().write(folder);
        TokenShards ours = TokenShards.open(folder, TokenShardsTest.KIND.tokenizer());
        List<Path> files = LlmcShards.write(ours, folder, "corpus_train", 9);
        assertThat(files).hasSize(4);
        TokenShards theirs = TokenShards.openLlmc(files, 257, 256);
        assertThat(tokens(theirs)).isEqualTo(expected).isEqualTo(tokens(ours));
    }

    @Test
    void rejectsAnotherFile() throws IOException {
        byte[] bytes = golden16();
        bytes[0] ^= 2;
        assertData(bytes, ": expected an llm.c file of tokens (magic 20240520 or 20240801), found 20240522");
        bytes = golden16();
        bytes[4] = 2;
        assertData(bytes, ": expected version 1, found 2");
        assertData(Arrays.copyOf(golden16(), 1029), ": expected size in bytes 1030, found 1029");
        assertData(Arrays.copyOf(golden16(), 1031), ": expected size in bytes 1030, found 1031");
        assertData(Arrays.copyOf(golden16(), 1000), ": expected a header of 1024 bytes, found a file of 1000 bytes");
        bytes = golden16();
        bytes[11] = -1;
        assertData(bytes, ": expected size in bytes ");
    }

    @Test
    void rejectsATokenOutsideTheVocabulary() throws IOException {
        TokenShards shards = open(golden16(), 50257);
        String message =
                folder.resolve("a.bin") + ": expected tokens below the vocabulary size 50257, found 65535 at token 2";
        assertThatThrownBy(() -> tokens(shards))
                .isInstanceOf(QuernException.class)
                .hasMessage(message);
        assertThatThrownBy(() -> shards.verify(_ -> {}))
                .isInstanceOf(QuernException.class)
                .hasMessage(message);
        byte[] negative = golden32();
        negative[1027] = -1;
        TokenShards wide = open(negative, 128256);
        assertThatThrownBy(() -> tokens(wide)).hasMessageContaining("found 4278318080 at token 0");
    }

    @Test
    void tellsOtherTokensByTheirFingerprint() throws IOException {
        String fingerprint = open(golden16(), 65536).fingerprint();
        byte[] other = golden16();
        other[1025] ^= 1;
        assertThat(open(other, 65536).fingerprint()).isNotEqualTo(fingerprint);
        assertThat(open(golden16(), 65536).fingerprint()).isEqualTo(fingerprint);
    }

    /// Positions beyond 2^31 bytes, in a file that is nearly all hole.
    @Test
    @Tag("slow")
    void readsAFileOfMoreThanFourGigabytes() throws IOException {
        Path file = folder.resolve("large.bin");
        int count = 1_200_000_000;
        ByteBuffer header = ByteBuffer.wrap(golden32())
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(8, count)
                .limit(1024);
        ByteBuffer last = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(0, 17);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.write(header);
            channel.write(last, 1024 + 4L * (count - 1));
        }
        TokenShards shards = TokenShards.openLlmc(List.of(file), 18, 0);
        int[] tokens = new int[2];
        shards.copy(count - 2, 2, MemorySegment.ofArray(tokens), 0);
        assertThat(tokens).containsExactly(0, 17);
        assertThat(shards.tokens()).isEqualTo(count);
    }

    private TokenShards open(byte[] bytes, int vocabSize) throws IOException {
        // A new file each time: the mapping of the last one must not change under its reader.
        Files.deleteIfExists(folder.resolve("a.bin"));
        return TokenShards.openLlmc(List.of(Files.write(folder.resolve("a.bin"), bytes)), vocabSize, END_OF_TEXT);
    }

    private void assertData(byte[] bytes, String message) {
        assertThatThrownBy(() -> open(bytes, 65536))
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA))
                .hasMessageStartingWith(folder.resolve("a.bin") + message);
    }

    static int[] tokens(TokenShards shards) {
        int[] tokens = new int[(int) shards.tokens()];
        shards.copy(0, tokens.length, MemorySegment.ofArray(tokens), 0);
        return tokens;
    }
}
