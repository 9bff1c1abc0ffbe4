package org.quern.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import tools.jackson.databind.node.ObjectNode;

class TokenizerFilesTest {
    private static final String TEXT = "the cat and the dog and the cats";

    private final Tokenizer tokenizer = train(SplitPattern.LLAMA3, 280, TEXT);

    @TempDir
    Path folder;

    private Path write(Consumer<ObjectNode> change) throws IOException {
        Path file = folder.resolve("tokenizer.json");
        ObjectNode root = (ObjectNode) Json.parseObject(tokenizer.toJson().getBytes(StandardCharsets.UTF_8), "ours");
        change.accept(root);
        return Files.write(file, Json.pretty(root));
    }

    private static AbstractThrowableAssert<?, ? extends Throwable> assertRejected(Path file) {
        return assertRejected(file, () -> Tokenizer.read(file));
    }

    private static AbstractThrowableAssert<?, ? extends Throwable> assertRejected(Path file, Runnable read) {
        return assertThatThrownBy(read::run)
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA))
                .hasMessageStartingWith(file.toString());
    }

    @Test
    void readsWhatItWrote() throws IOException {
        Tokenizer copy = Tokenizer.read(write(root -> {}));

        assertThat(copy.hash()).isEqualTo(tokenizer.hash());
        assertThat(copy.toJson()).isEqualTo(tokenizer.toJson());
        assertThat(copy.encode("the cats")).isEqualTo(tokenizer.encode("the cats"));
    }

    @Test
    void hashTellsTokenizersApart() {
        assertThat(train(SplitPattern.LLAMA3, 280, TEXT).hash())
                .isEqualTo(tokenizer.hash())
                .hasSize(64);
        assertThat(Stream.of(
                                train(SplitPattern.LLAMA3, 280, TEXT),
                                train(SplitPattern.CL100K, 280, TEXT),
                                train(SplitPattern.LLAMA3, 262, TEXT),
                                train(SplitPattern.LLAMA3, 280, TEXT.replace('c', 'r')))
                        .map(Tokenizer::hash))
                .doesNotHaveDuplicates();
    }

    private static Tokenizer train(SplitPattern pattern, int vocabSize, String text) {
        return BpeTrainerTest.train(pattern, vocabSize, 1, text);
    }

    @Test
    void writesTheNamesOfMarks() {
        ObjectNode config =
                (ObjectNode) Json.parseObject(tokenizer.toConfigJson(1024).getBytes(StandardCharsets.UTF_8), "ours");

        assertThat(config.get("eos_token").asString()).isEqualTo("<|endoftext|>");
        assertThat(config.has("bos_token")).isFalse();
        assertThat(config.get("model_max_length").asInt()).isEqualTo(1024);
    }

    @Test
    void rejectsTruncatedFile() throws IOException {
        Path file = write(root -> {});
        byte[] whole = Files.readAllBytes(file);
        for (int length = 0; length < whole.length - 2; length += 97) {
            Files.write(file, Arrays.copyOf(whole, length));
            assertRejected(file);
        }
    }

    @Test
    void rejectsMissingFile() {
        assertRejected(folder.resolve("none.json"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            /normalizer                                    | {"type":"NFC"}  | normalizer: expected null
            /model/type                                    | "Unigram"       | model.type: expected "BPE", found "Unigram"
            /model/byte_fallback                           | true            | model.byte_fallback: expected false
            /model/continuing_subword_prefix               | "##"            | model.continuing_subword_prefix: expected null
            /model/dropout                                 | 0.1             | model.dropout: expected null
            /model/dropout                                 | [1]             | model.dropout: expected null
            /model/vocab                                   | [1]             | model.vocab: expected an object, found [1]
            /model/vocab/the                               | -1              | has id -1: expected 0 to
            /model/vocab/the                               | 3               | id 3 is given twice
            /model/vocab/the                               | "x"             | model.vocab.the: expected an integer, found "x"
            /model/merges                                  | null            | model.merges: expected an array, found null
            /model/merges                                  | ["a b c"]       | model.merges[0]: expected two tokens
            /model/merges                                  | [["a"]]         | model.merges[0]: expected two tokens
            /model/merges                                  | ["q z"]         | merge 0 ("q z") needs token "qz"
            /decoder                                       | {"type":"WordPiece"} | decoder.type: expected "ByteLevel"
            /post_processor                                | {"type":"BertProcessing"} | post_processor.type: expected
            /post_processor                                | {"type":"TemplateProcessing","single":[]} | post_processor.single: expected special tokens, then the text
            /post_processor                                | {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],"special_tokens":{"x":{"ids":[5]}}} | has id 5, which is no added token
            /pre_tokenizer                                 | null            | pre_tokenizer: expected ByteLevel
            /pre_tokenizer                                 | {"type":"Whitespace"} | pre_tokenizer.type: expected
            /pre_tokenizer                                 | {"type":"ByteLevel","add_prefix_space":true} | add_prefix_space: expected false
            /pre_tokenizer/pretokenizers/0/behavior        | "Removed"       | behavior: expected "Isolated"
            /pre_tokenizer/pretokenizers/0/pattern/Regex   | "x+"            | Regex: expected the split expression of [GPT2, CL100K, LLAMA3, O200K], found "x+"
            /added_tokens/0/lstrip                         | true            | added_tokens[0].lstrip: expected false
            /added_tokens/0/id                             | 2000000000      | has id 2000000000
            /added_tokens/0/content                        | ""              | expected some content
            /added_tokens/0/content                        | "<end>"         | added token "<end>" has id 0, which is that of "<|endoftext|>"
            """)
    void rejectsWhatItCannotFollow(String pointer, String value, String message) throws IOException {
        int name = pointer.lastIndexOf('/');
        Path file = write(root -> {
            ObjectNode parent = (ObjectNode) root.at(pointer.substring(0, name));
            parent.set(pointer.substring(name + 1), Json.MAPPER.readTree(value));
        });

        assertRejected(file).hasMessageContaining(message);
    }

    @Test
    void rejectsVocabularyWithoutAByte() throws IOException {
        Path file = write(root -> ((ObjectNode) root.at("/model/vocab")).remove("q"));

        assertRejected(file).hasMessageContaining("no token for byte 0x71");
    }

    @Test
    void rejectsVocabularyOfAnotherKind() throws IOException {
        Path file = write(root -> ((ObjectNode) root.at("/model/vocab")).put("\u2581the", 5000));

        assertRejected(file).hasMessageContaining("token \"\u2581the\" is not in the alphabet of byte-level BPE");
    }

    @Test
    void tiktokenFileKeepsTokensAndIds() {
        Path file = folder.resolve("ranks.tiktoken");
        tokenizer.writeTiktoken(file);

        Tokenizer copy =
                Tokenizer.readTiktoken(file, SplitPattern.LLAMA3, List.of(AddedToken.special(0, "<|endoftext|>")));

        assertThat(copy.vocabSize()).isEqualTo(tokenizer.vocabSize());
        assertThat(copy.endOfText()).hasValue(0);
        assertThat(copy.encode("the cats and a dog")).isEqualTo(tokenizer.encode("the cats and a dog"));
        Path json = folder.resolve("tokenizer.json");
        copy.write(json);
        assertThat(Tokenizer.read(json).hash()).isEqualTo(copy.hash());
    }

    @ParameterizedTest
    @CsvSource({
        "'', a token in base64",
        "'IQ==', a token in base64",
        "'IQ== x', a token in base64",
        "'I? 5', a token in base64",
        "'IQ== 1', given twice"
    })
    void rejectsCorruptTiktokenFile(String line, String message) throws IOException {
        StringBuilder text = new StringBuilder();
        for (int b = 0; b < 256; b++) {
            text.append(Base64.getEncoder().encodeToString(new byte[] {(byte) b}))
                    .append(' ')
                    .append(b)
                    .append('\n');
        }
        Path file = folder.resolve("bad.tiktoken");
        Files.writeString(file, text + line + "\n");

        assertRejected(file, () -> Tokenizer.readTiktoken(file, SplitPattern.GPT2, List.of()))
                .hasMessageContaining(message);
    }

    @Test
    void rejectsCorruptMerges() throws IOException {
        GoldenTokenizerTest.gpt2(folder);
        Path merges = folder.resolve("vocab.bpe");
        Files.writeString(merges, "#version: 0.2\na b\nab\n");

        assertRejected(merges, () -> Tokenizer.readGpt2(folder.resolve("encoder.json"), merges))
                .hasMessageContaining(":3: expected two tokens with a space between them, found \"ab\"");
    }
}
