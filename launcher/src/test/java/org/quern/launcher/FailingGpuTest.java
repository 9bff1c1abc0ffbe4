package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a person sees whose GPU fails.
class FailingGpuTest {
    private static final String FAIL = "quern.emulated.fail";

    private final PrintStream systemErr = System.err;
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @TempDir
    Path folder;

    @AfterEach
    void restore() {
        System.setErr(systemErr);
        System.clearProperty(FAIL);
    }

    private int train(String fault) throws IOException {
        String text = IntStream.range(0, 99)
                .mapToObj("All work and no play makes Jack %d a dull boy."::formatted)
                .collect(Collectors.joining("\f"));
        Files.writeString(folder.resolve("text.txt"), text);
        Path config = folder.resolve("tiny.yaml");
        Files.writeString(config, """
                run: {device: emulated}
                model: {architecture: llama, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2}
                tokenizer: {train: {vocab_size: 270}}
                data: {text: [text.txt]}
                train: {steps: 2, global_batch: 2, sequence_length: 8}
                optimizer: {lr: 1e-3}
                checkpoint: {every: 1}
                """);
        if (!fault.isEmpty()) {
            System.setProperty(FAIL, fault);
        }
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        try {
            return Main.run(
                    "train", config.toString(), "--run", folder.resolve("run").toString(), "--json");
        } finally {
            System.setErr(systemErr);
            System.clearProperty(FAIL);
        }
    }

    @Test
    void endsWithTheCodeOfWhatMayGoWellNextTime() throws IOException {
        for (String fault : List.of("allocation:5", "launch:30", "lost:40")) {
            err.reset();
            assertThat(train(fault))
                    .as(() -> fault + ": " + err.toString(StandardCharsets.UTF_8))
                    .isEqualTo(76);
            assertThat(err.toString(StandardCharsets.UTF_8))
                    .containsIgnoringCase("the same command")
                    .contains(fault.startsWith("allocation") ? "there is no memory for " : " failed: ")
                    .doesNotContain("\tat ")
                    .doesNotContain("Exception");
            assertThat(err.toString(StandardCharsets.UTF_8).lines().count()).isLessThan(30);
        }
        assertThat(train("")).isZero();
        assertThat(train("often")).isEqualTo(65);
    }
}
