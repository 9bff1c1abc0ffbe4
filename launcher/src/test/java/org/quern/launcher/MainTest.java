package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.Json;
import tools.jackson.databind.JsonNode;

class MainTest {
    private static final Path CONFIGS = Path.of("../configs");

    private final PrintStream systemOut = System.out;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    MainTest() {
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void restore() {
        System.setOut(systemOut);
    }

    @Test
    void explainsItself() {
        assertThat(Main.run("--help")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("plan", "doctor");
        assertThat(Main.run("--version")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("quern 0.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "pln", "plan", "plan a.yaml b.yaml", "plan --sett a=1 a.yaml"})
    void rejectsAWrongCommandLine(String line) {
        assertThat(Main.run(line.isEmpty() ? new String[0] : line.split(" "))).isEqualTo(64);
    }

    @Test
    void rejectsAConfigurationThatIsMissingOrWrong() {
        assertThat(Main.run("plan", "no.yaml")).isEqualTo(65);
        assertThat(Main.run("plan", CONFIGS.resolve("quickstart.yaml").toString(), "--set", "train.steps=-1"))
                .isEqualTo(65);
    }

    @Test
    void examinesTheMachine() {
        assertThat(Main.run("doctor")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("cores", "vectors", "GPU driver", "cpu, emulated", "auto takes");
    }

    @Test
    void showsKernels() {
        assertThat(Main.run("kernels", "list", "--arch", "sm_90", "probe")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("probe.sm_80 probe_mma ", "assembled for sm_90 by nvPTXCompiler");
        assertThat(Main.run("kernels", "print", "probe", "--arch", "sm_80")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains(".entry probe_mma");
        assertThat(Main.run("kernels", "print", "probe", "no=1")).isEqualTo(64);
        assertThat(Main.run("kernels", "list", "--arch", "sm_10")).isEqualTo(64);
    }

    @ParameterizedTest
    @CsvSource({
        "tiny,",
        "quickstart,",
        "gpt2-124m, 124475904",
        "gpt2-350m, 354871296",
        "gpt2-774m, 774090240",
        "gpt2-1558m, 1557686400",
        "llama3.1-8b, 8030261248"
    })
    void plansEveryRecipe(String name, Long parameters) {
        assertThat(Main.run("plan", CONFIGS.resolve(name + ".yaml").toString(), "--json"))
                .isZero();
        JsonNode plan = result();
        assertThat(plan.get("total_bytes").asLong()).isPositive();
        if (parameters != null) {
            assertThat(plan.get("parameters").asLong()).isEqualTo(parameters);
        }
    }

    @Test
    void plansWhatARunTakesOfEachSource() {
        assertThat(Main.run("plan", CONFIGS.resolve("mixture.yaml").toString(), "--json"))
                .isZero();
        assertThat(result().get("sources"))
                .extracting(source -> source.get("name").asString()
                        + source.get("tokens_taken").asLong())
                .containsExactly("novels578560", "speeches240640");
    }

    @Test
    void plansForGpusThatAreNotHere() {
        String config = CONFIGS.resolve("gpt2-124m.yaml").toString();
        assertThat(Main.run("plan", config, "--gpu", "h100-80gb", "--gpus", "8", "--price", "2.5", "--json"))
                .isZero();
        JsonNode plan = result();
        assertThat(plan.get("fits").asBoolean()).isTrue();
        double hours = plan.get("expected_seconds").asDouble() / 3600;
        assertThat(plan.get("expected_cost").asDouble()).isCloseTo(hours * 8 * 2.5, within(1e-6));
        assertThat(Main.run("plan", config, "--gpu", "h100")).isEqualTo(64);
        assertThat(Main.run("plan", config, "--gpus", "2")).isEqualTo(64);
        assertThat(Main.run("plan", config, "--gpu", "h100-80gb", "--gpus", "3"))
                .isEqualTo(65);
    }

    @Test
    void trainsAndGoesOn(@TempDir Path folder) throws IOException {
        Path config = folder.resolve("tiny.yaml");
        String text = IntStream.range(0, 99)
                .mapToObj("All work and no play makes Jack %d a dull boy."::formatted)
                .collect(Collectors.joining("\f"));
        Files.writeString(folder.resolve("text.txt"), text);
        Files.writeString(config, """
                model: {architecture: llama, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2}
                tokenizer: {train: {vocab_size: 270}}
                data: {text: [text.txt]}
                train: {steps: 2, global_batch: 2, sequence_length: 8}
                optimizer: {lr: 1e-3}
                evaluate: {every: 1, sequences: 2}
                """);
        Path run = folder.resolve("run");
        String[] command = {"train", config.toString(), "--run", run.toString(), "--json", "--set", "train.steps=3"};

        assertThat(Main.run(command)).isZero();
        JsonNode first = result();
        assertThat(first.get("complete").asBoolean()).isTrue();
        assertThat(first.get("step").asInt()).isEqualTo(3);
        assertThat(first.get("loss").asDouble()).isPositive();
        assertThat(first.get("val_bpb").asDouble()).isPositive();
        assertThat(Path.of(first.get("checkpoint").asString())).isDirectory();
        assertThat(run.resolve("logs/train.log")).content().contains("device: cpu");

        assertThat(Main.run(command)).isZero();
        assertThat(result().get("step").asInt()).isEqualTo(3);
    }

    @Test
    void trainsATokenizerAndEncodes(@TempDir Path folder) throws IOException {
        Path text = folder.resolve("text.txt");
        Path tokenizer = folder.resolve("tokenizer.json");
        Files.writeString(text, "low low low lower lowest");
        assertThat(Main.run(
                        "tokenizer",
                        "train",
                        text.toString(),
                        "--vocab-size",
                        "260",
                        "--special",
                        "<|end|>",
                        "--out",
                        tokenizer.toString()))
                .isZero();
        out.reset();
        assertThat(Main.run("tokenizer", "encode", folder.toString(), "--text", "low <|end|>", "--json"))
                .isZero();
        JsonNode encoded = result();
        assertThat(encoded.get("texts").toString())
                .isEqualTo("[\"low\",\" \",\"<\",\"|\",\"e\",\"n\",\"d\",\"|\",\">\"]");
        assertThat(Main.run("tokenizer", "encode", text.toString(), "--text", "low"))
                .isEqualTo(65);
        assertThat(Main.run("tokenizer", "train", text.toString(), "--vocab-size", "9", "--out", "x"))
                .isEqualTo(65);
    }

    /// The JSON that was printed last.
    private JsonNode result() {
        JsonNode result = Json.parseObject(out.toByteArray(), "the result");
        out.reset();
        return result;
    }
}
