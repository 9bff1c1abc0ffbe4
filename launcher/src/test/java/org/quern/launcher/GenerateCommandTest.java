package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import picocli.CommandLine;
import tools.jackson.databind.JsonNode;

class GenerateCommandTest {
    private static final Path MODELS = Path.of("../engine/core/src/test/resources/golden/written");
    private static final String LLAMA = MODELS.resolve("llama").toString();

    @TempDir
    Path folder;

    private final PrintStream systemOut = System.out;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    GenerateCommandTest() {
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void restore() {
        System.setOut(systemOut);
    }

    static Stream<Arguments> greedy() {
        List<Arguments> cases = new ArrayList<>();
        for (var model : Json.readObject(MODELS.resolve("greedy.json")).properties()) {
            model.getValue().forEach(expected -> cases.add(Arguments.of(model.getKey(), expected)));
        }
        return cases.stream();
    }

    @ParameterizedTest
    @MethodSource("greedy")
    void writesWhatTransformersWrites(String model, JsonNode expected) {
        String prompt = expected.get("prompt").asString();

        JsonNode found = generate(
                MODELS.resolve(model).toString(), "--prompt", prompt, "--temperature", "0", "--max-tokens", "24");

        JsonNode sample = found.get("samples").get(0);
        assertThat(sample.get("tokens")).isEqualTo(expected.get("tokens"));
        assertThat(sample.get("text")).isEqualTo(expected.get("text"));
        assertThat(found.get("prompt").asString()).isEqualTo(prompt);
    }

    private JsonNode generate(String... arguments) {
        List<String> line = new ArrayList<>(List.of("generate", "--json"));
        line.addAll(List.of(arguments));
        out.reset();
        assertThat(Main.run(line.toArray(String[]::new))).isZero();
        return Json.parseObject(out.toByteArray(), "standard output");
    }

    @Test
    void printsPromptAndTexts() {
        JsonNode json = generate(LLAMA, "--prompt", "the cat", "--num-samples", "3", "--max-tokens", "9");
        List<String> texts = new ArrayList<>();
        json.get("samples")
                .forEach(sample -> texts.add("the cat" + sample.get("text").asString()));
        out.reset();

        assertThat(Main.run("generate", LLAMA, "--prompt", "the cat", "--num-samples", "3", "--max-tokens", "9"))
                .isZero();

        assertThat(out.toString(StandardCharsets.UTF_8))
                .isEqualToNormalizingNewlines(
                        "%s%n%n--- 2 of 3 ---%n%s%n%n--- 3 of 3 ---%n%s%n".formatted(texts.toArray()));
        assertThat(texts).doesNotHaveDuplicates();
    }

    @Test
    void drawsTheSameWithTheSameSeed() {
        String[] options = {"--temperature", "1.5", "--top-k", "50", "--top-p", "0.9", "--min-p", "0.01", "--seed"};
        List<JsonNode> texts = new ArrayList<>();
        for (String seed : List.of("1", "1", "2")) {
            List<String> line = new ArrayList<>(List.of(LLAMA, "--prompt", "the cat"));
            line.addAll(List.of(options));
            line.add(seed);
            texts.add(generate(line.toArray(String[]::new)).get("samples"));
        }

        assertThat(texts.get(1)).isEqualTo(texts.get(0));
        assertThat(texts.get(2)).isNotEqualTo(texts.get(0));
    }

    @Test
    void fillsTheContext() {
        JsonNode sample = generate(LLAMA, "--max-tokens", "1000000", "--temperature", "0")
                .get("samples")
                .get(0);

        assertThat(sample.get("tokens")).hasSize(63);
        assertThat(sample.get("finish_reason").asString()).isEqualTo("context");
    }

    @Test
    void readsThePromptFromAFile() throws IOException {
        Path file = folder.resolve("prompt.txt");
        Files.writeString(file, "naïve 😀\n");

        JsonNode found = generate(LLAMA, "--prompt-file", file.toString());

        assertThat(found.get("prompt").asString()).isEqualTo("naïve 😀\n");
    }

    @Test
    void refusesWhatItCannotContinue() throws IOException {
        Path file = folder.resolve("prompt.txt");
        Files.write(file, new byte[] {'a', 'b', (byte) 0xFF, 'c'});

        assertFails(
                ExitCode.DATA,
                "prompt.txt: expected a text in UTF-8, found 0xFF at byte 2",
                LLAMA,
                "--prompt-file",
                file);
        Files.write(file, new byte[] {'a', (byte) 0xF0, (byte) 0x9F});
        assertFails(
                ExitCode.DATA,
                "prompt.txt: expected a text in UTF-8, found 0xF0 at byte 1",
                LLAMA,
                "--prompt-file",
                file);
        Path none = folder.resolve("none.txt");
        assertFails(
                ExitCode.DATA, "none.txt: expected a text in UTF-8, found no such file", LLAMA, "--prompt-file", none);
        assertFails(
                ExitCode.USAGE,
                "shorter than the model's context of 64 tokens: got 80",
                LLAMA,
                "--prompt",
                "z".repeat(80));
        assertFails(ExitCode.USAGE, "top_p must be above 0 and at most 1: got 2.0", LLAMA, "--top-p", "2");
        assertThat(Main.run("generate", LLAMA, "--prompt", "a", "--prompt-file", file.toString()))
                .isEqualTo(64);
        assertFails(ExitCode.DATA, "expected the folder of a run, a checkpoint or a model", folder);
        Files.createDirectory(folder.resolve("checkpoints"));
        assertFails(ExitCode.DATA, "checkpoints: expected a checkpoint of the run, found none yet", folder);
    }

    @Test
    void refusesAModelThatTheMemoryCannotHold() throws IOException {
        String config = Files.readString(MODELS.resolve("llama/config.json"));
        Files.writeString(
                folder.resolve("config.json"),
                config.replaceFirst("\"hidden_size\" : \\d+", "\"hidden_size\" : 400000")
                        .replaceFirst("\"num_hidden_layers\" : \\d+", "\"num_hidden_layers\" : 500"));
        Files.copy(MODELS.resolve("llama/tokenizer.json"), folder.resolve("tokenizer.json"));

        assertFails(ExitCode.DATA, "for 3 texts of 64 tokens, this machine has", folder, "--num-samples", "3");
    }

    @Test
    void refusesACheckpointThatIsDamaged() throws IOException {
        Path damaged = Files.createDirectory(folder.resolve("step-00000007"));
        try (Stream<Path> files = Files.list(MODELS.resolve("gpt2"))) {
            for (Path file : files.toList()) {
                Files.copy(file, damaged.resolve(file.getFileName()));
            }
        }
        Files.write(damaged.resolve("model.safetensors"), new byte[100]);

        assertFails(ExitCode.DATA, "model.safetensors: expected 17568 bytes, found 100", damaged);
    }

    private static void assertFails(ExitCode code, String message, Object... arguments) {
        GenerateCommand command = new GenerateCommand();
        new CommandLine(command)
                .parseArgs(Stream.of(arguments).map(Object::toString).toArray(String[]::new));
        assertThatThrownBy(command::call)
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(code))
                .hasMessageContaining(message);
    }
}
