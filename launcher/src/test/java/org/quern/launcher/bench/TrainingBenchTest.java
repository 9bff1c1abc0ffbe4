package org.quern.launcher.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.config.ConfigReader;
import org.quern.config.RunConfig;
import tools.jackson.databind.JsonNode;

class TrainingBenchTest {
    @TempDir
    private Path folder;

    private TrainingBench bench;

    @BeforeEach
    void make() throws IOException {
        Path file = Files.writeString(folder.resolve("tiny.yaml"), """
                run: {device: cpu, threads: 1}
                model: {architecture: llama, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 4, num_key_value_heads: 2}
                tokenizer: {train: {vocab_size: 300}}
                data: {text: [nothing.txt]}
                train: {steps: 1000, global_batch: 8, sequence_length: 16}
                optimizer: {lr: 1e-3, name: muon, muon: {lr: 0.02}}
                schedule: {warmup_steps: 500}
                evaluate: {every: 1}
                """);
        bench = new TrainingBench(
                ConfigReader.read(file, RunConfig.class, List.of()),
                Files.createDirectory(folder.resolve("x")),
                5,
                true);
    }

    /// Something that can be started like a Python; it gets `-c`, the program and the sizes.
    private String python(String script) throws IOException {
        Path file = folder.resolve("python");
        Files.writeString(file, "#!/bin/sh\n" + script);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
        return file.toString();
    }

    @Test
    void takesTheStepsOfTheConfigurationOnRandomTokens() {
        List<Long> progress = new ArrayList<>();
        assertThat(bench.run(true, progress::add)).hasSize(5).allMatch(seconds -> seconds > 0);
        assertThat(progress).containsExactly(1L, 2L, 3L, 4L, 5L);
        assertThat(bench.plan().orElseThrow().tokensPerStep()).isEqualTo(8 * 16);
        assertThat(bench.profile()).startsWith("Operations of steps 3 to 5");
        assertThat(bench.config().optimizer().muon()).isEmpty();
    }

    @Test
    void asksPyTorchForTheSame() throws Exception {
        bench.run(false, _ -> {});
        String python = python("""
                printf '%s' "$3" > "${0%/*}/question"
                echo '{"torch": "2.13"}'
                echo '{"way": "eager", "seconds": [1.0, 0.5], "memory": 7}'
                echo '{"way": "compiled", "error": "no compiler"}'
                """);
        List<TorchTraining.Result> results = new ArrayList<>();
        TorchTraining.run(python, bench, results::add);
        assertThat(results)
                .containsExactly(
                        new TorchTraining.Result("2.13", "eager", List.of(1.0, 0.5), 7, ""),
                        new TorchTraining.Result("2.13", "compiled", List.of(), 0, "no compiler"));
        JsonNode question = Json.readObject(folder.resolve("question"));
        assertThat(question.path("vocabulary").asInt()).isEqualTo(300);
        assertThat(question.path("kv_heads").asInt()).isEqualTo(2);
        assertThat(question.path("head_size").asInt()).isEqualTo(8);
        assertThat(question.path("steps").asInt()).isEqualTo(5);
        assertThat(8 % question.path("micro_batch").asInt()).isZero();
        assertThat(question.path("device").asString()).isEqualTo("cpu");
    }

    @Test
    void aPythonWithoutTorchIsNamed() throws Exception {
        bench.run(false, _ -> {});
        String python = python("exit 1");
        assertThatThrownBy(() -> TorchTraining.run(python, bench, _ -> {}))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining(python + " ended");
    }
}
