package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.Json;
import tools.jackson.databind.JsonNode;

/// The first steps of `configs/tiny.yaml`, as a user takes them.
class TinyRecipeTest {
    private static final double LOG_VOCAB = Math.log(512);

    @TempDir
    Path folder;

    private final PrintStream systemOut = System.out;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    TinyRecipeTest() {
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void restore() {
        System.setOut(systemOut);
    }

    /// Two steps on the CPU, two more on the emulated GPU, then a text from each.
    @Test
    void runsOnTheCpuAndOnTheEmulatedGpu() throws IOException {
        String run = folder.resolve("run").toString();
        JsonNode cpu = train(run, "cpu", 2);
        assertThat(cpu.get("val_loss").asDouble()).isLessThan(LOG_VOCAB);

        JsonNode emulated = train(run, "emulated", 4);
        assertThat(emulated.get("loss").asDouble()).isLessThan(cpu.get("loss").asDouble());
        assertThat(emulated.get("val_loss").asDouble())
                .isLessThan(cpu.get("val_loss").asDouble());

        assertThat(folder.resolve("run/logs/train.log"))
                .content()
                .contains("device: cpu with", "cpu was asked for", "device: emulated", "emulated was asked for");
        assertThat(Files.readAllLines(folder.resolve("run/samples.jsonl"))).hasSize(2);
        assertThat(generate(run, "cpu")).hasSize(5);
        assertThat(generate(run, "emulated")).hasSize(5);
    }

    private JsonNode train(String run, String device, int steps) {
        JsonNode result = run(
                "train",
                "../configs/tiny.yaml",
                "--run",
                run,
                "--device",
                device,
                "--json",
                "--set",
                "train.steps=" + steps,
                "--set",
                "schedule.warmup_steps=1",
                "--set",
                "evaluate.sequences=4",
                "--set",
                "sample.max_tokens=4");
        assertThat(result.get("complete").asBoolean()).isTrue();
        assertThat(result.get("step").asInt()).isEqualTo(steps);
        return result;
    }

    private List<JsonNode> generate(String run, String device) {
        JsonNode result = run("generate", run, "--device", device, "--json", "--prompt", "It is", "--max-tokens", "5");
        List<JsonNode> tokens = new ArrayList<>();
        result.get("samples").get(0).get("tokens").forEach(tokens::add);
        return tokens;
    }

    private JsonNode run(String... arguments) {
        out.reset();
        assertThat(Main.run(arguments)).isZero();
        return Json.parseObject(out.toByteArray(), "standard output");
    }

    @Test
    void refusesOtherDevices() {
        assertThat(Main.run("train", "../configs/tiny.yaml", "--device", "foo")).isEqualTo(64);
        assertThat(Main.run("generate", folder.toString(), "--device", "gpu0")).isEqualTo(64);
    }
}
