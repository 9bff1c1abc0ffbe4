package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a person sees whose GPU fails.
class FailingGpuTest {
    private static final String FAIL = "quern.emulated.fail";

    @TempDir
    Path folder;

    private String errors;

    private int train(String fault) throws IOException, InterruptedException {
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
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--add-exports=java.base/jdk.internal.module=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path")));
        if (!fault.isEmpty()) {
            command.add("-D" + FAIL + "=" + fault);
        }
        command.addAll(List.of(
                Main.class.getName(),
                "train",
                config.toString(),
                "--run",
                folder.resolve("run").toString(),
                "--json"));
        Path said = folder.resolve("errors.txt");
        Process process = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(said.toFile())
                .start();
        int code = process.waitFor();
        errors = Files.readString(said);
        return code;
    }

    @Test
    void endsWithTheCodeOfWhatMayGoWellNextTime() throws IOException, InterruptedException {
        for (String fault : List.of("allocation:5", "launch:30", "lost:40")) {
            assertThat(train(fault)).as(() -> fault + ": " + errors).isEqualTo(76);
            assertThat(errors)
                    .containsIgnoringCase("the same command")
                    .contains(fault.startsWith("allocation") ? "there is no memory for " : " failed: ")
                    .doesNotContain("\tat ")
                    .doesNotContain("Exception");
            assertThat(errors.lines().count()).isLessThan(30);
        }
        assertThat(train("")).isZero();
        assertThat(train("often")).isEqualTo(65);
    }
}
