package org.quern.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.base.Json;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Against Hugging Face tokenizers and tiktoken, whose results `golden_tokenizer.py` wrote down.
class GoldenTokenizerTest {
    private static final Path FOLDER = Path.of("src/test/resources/golden/tokenizer");
    private static final JsonNode GOLDEN = Json.readObject(FOLDER.resolve("golden.json"));
    private static final List<byte[]> DOCUMENTS = documents();

    @TempDir
    Path folder;

    private static List<byte[]> documents() {
        byte[] mixed = gunzip("mixed.txt.gz");
        int size = GOLDEN.get("document_bytes").asInt();
        List<byte[]> documents = new ArrayList<>();
        for (int i = 0; i < mixed.length; i += size) {
            documents.add(Arrays.copyOfRange(mixed, i, Math.min(mixed.length, i + size)));
        }
        return documents;
    }

    private static byte[] gunzip(String name) {
        try (GZIPInputStream in = new GZIPInputStream(Files.newInputStream(FOLDER.resolve(name)))) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] valid(byte[] document) {
        return new String(document, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8);
    }

    private static Tokenizer trained(SplitPattern pattern, int threads) {
        return new BpeTrainer(pattern, GOLDEN.get("vocab_size").asInt(), List.of("<|endoftext|>"), threads)
                .train(DOCUMENTS.stream().map(GoldenTokenizerTest::valid).iterator(), (_, _) -> {});
    }

    /// GPT-2's vocabulary follows from its merges: the bytes, then what each merge makes, then the end of text.
    static Tokenizer gpt2(Path folder) throws IOException {
        byte[] merges = gunzip("vocab.bpe.gz");
        Files.write(folder.resolve("vocab.bpe"), merges);
        ObjectNode vocabulary = Json.MAPPER.createObjectNode();
        for (byte b : ByteAlphabet.inOrder()) {
            vocabulary.put(ByteAlphabet.write(new byte[] {b}), vocabulary.size());
        }
        new String(merges, StandardCharsets.UTF_8)
                .lines()
                .skip(1)
                .forEach(line -> vocabulary.put(line.replace(" ", ""), vocabulary.size()));
        vocabulary.put("<|endoftext|>", vocabulary.size());
        Files.write(folder.resolve("encoder.json"), Json.pretty(vocabulary));
        return Tokenizer.readGpt2(folder.resolve("encoder.json"), folder.resolve("vocab.bpe"));
    }

    private static void checkIds(Tokenizer tokenizer, String name) {
        Encoder encoder = tokenizer.encoder();
        TokenBuffer ids = new TokenBuffer();
        for (int i = 0; i < DOCUMENTS.size(); i++) {
            String text = new String(DOCUMENTS.get(i), StandardCharsets.UTF_8);
            int[] expected = tokenizer.encode(text);
            assertThat(expected)
                    .as("number of ids of document %d", i)
                    .hasSize(GOLDEN.get(name).get("counts").get(i).asInt());
            assertThat(crc(expected))
                    .as("ids of document %d", i)
                    .isEqualTo(GOLDEN.get(name).get("crcs").get(i).asLong());
            assertThat(tokenizer.decode(expected)).isEqualTo(text);

            byte[] bytes = DOCUMENTS.get(i);
            ids.clear();
            encoder.encode(bytes, 0, bytes.length, ids);
            assertThat(tokenizer.decodeBytes(ids.toArray())).isEqualTo(bytes);
        }
    }

    private static long crc(int[] ids) {
        ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * ids.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(ids);
        CRC32 crc = new CRC32();
        crc.update(bytes.array());
        return crc.getValue();
    }

    @Test
    void classesOfAllCharactersAgree() throws Exception {
        StringBuilder classes = new StringBuilder();
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            if (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE) {
                classes.append("LNOSS".charAt(Characters.classOf(c)));
            }
        }

        byte[] hash =
                MessageDigest.getInstance("SHA-256").digest(classes.toString().getBytes(StandardCharsets.UTF_8));

        assertThat(HexFormat.of().formatHex(hash))
                .isEqualTo(GOLDEN.get("classes_sha256").asString());
    }

    @Test
    void gpt2GivesTheSameIds() throws IOException {
        checkIds(gpt2(folder), "gpt2");
    }

    @ParameterizedTest
    @CsvSource({"GPT2, gpt2_trained", "LLAMA3, llama3_trained"})
    void trainsTheSameMergesAndIds(SplitPattern pattern, String name) throws Exception {
        Tokenizer tokenizer = trained(pattern, 2);

        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        for (long pair : tokenizer.merges().pairs()) {
            String left = ByteAlphabet.write(tokenizer.token(PairTable.left(pair)));
            String right = ByteAlphabet.write(tokenizer.token(PairTable.right(pair)));
            digest.update((left + " " + right + "\n").getBytes(StandardCharsets.UTF_8));
        }

        assertThat(tokenizer.merges().size())
                .isEqualTo(GOLDEN.get(name).get("merges").asInt());
        assertThat(HexFormat.of().formatHex(digest.digest()))
                .isEqualTo(GOLDEN.get(name).get("merges_sha256").asString());
        checkIds(tokenizer, name);
        assertThat(trained(pattern, 1).hash()).isEqualTo(tokenizer.hash());
    }

    @Test
    void tiktokenFileGivesTheSameIds() {
        Path file = folder.resolve("trained.tiktoken");
        trained(SplitPattern.LLAMA3, 1).writeTiktoken(file);

        checkIds(Tokenizer.readTiktoken(file, SplitPattern.CL100K, List.of()), "llama3_trained_ranks");
    }

    @Test
    void readsWhatHuggingFaceWrote() {
        Tokenizer tokenizer = Tokenizer.read(FOLDER.resolve("llama3_style.json"));

        for (JsonNode example : GOLDEN.get("llama3_style")) {
            String text = example.get("text").asString();
            assertThat(tokenizer.encodePrompt(text)).as(text).isEqualTo(ids(example.get("ids")));
            assertThat(tokenizer.encode(text)).as(text).isEqualTo(ids(example.get("plain")));
            assertThat(tokenizer.decode(tokenizer.encodeWithSpecials(text))).isEqualTo(text);
        }
        assertThat(tokenizer.pattern()).isEqualTo(SplitPattern.LLAMA3);
        assertThat(tokenizer.prefix()).containsExactly(601);
        assertThat(tokenizer.beginOfText()).hasValue(601);
        assertThat(tokenizer.endOfText()).hasValue(602);
        assertThat(tokenizer.vocabSize()).isEqualTo(608);
    }

    private static int[] ids(JsonNode node) {
        int[] ids = new int[node.size()];
        Arrays.setAll(ids, i -> node.get(i).asInt());
        return ids;
    }

    /// So what we write loads in Hugging Face tokenizers.
    @Test
    void writesWhatHuggingFaceWrote() {
        Tokenizer read = Tokenizer.read(FOLDER.resolve("llama3_style.json"));
        Path copy = folder.resolve("tokenizer.json");
        read.write(copy);

        ObjectNode expected = (ObjectNode) Json.readObject(FOLDER.resolve("llama3_style.json"));
        // Merges are arrays in new files, strings in old ones; both are read. Of the post-processors only the template
        // concerns ids.
        ArrayNode merges = Json.MAPPER.createArrayNode();
        expected.get("model")
                .get("merges")
                .forEach(m -> merges.add(m.get(0).asString() + " " + m.get(1).asString()));
        ((ObjectNode) expected.get("model")).set("merges", merges);
        expected.set(
                "post_processor",
                expected.get("post_processor").get("processors").get(1));
        ObjectNode written = (ObjectNode) Json.readObject(copy);
        expected.remove("decoder");
        assertThat(written.remove("decoder").get("type").asString()).isEqualTo("ByteLevel");
        assertThat(written).isEqualTo(expected);
        assertThat(Tokenizer.read(copy).hash()).isEqualTo(read.hash());
    }
}
