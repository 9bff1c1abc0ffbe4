package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.Json;
import org.quern.checkpoint.NamedTensor;
import org.quern.checkpoint.Safetensors;
import tools.jackson.databind.JsonNode;

/// On a run with a whole checkpoint, a damaged one and one in quarantine, and no others.
class CheckpointCommandTest {
    private static final Path MODEL = Path.of("../engine/core/src/test/resources/golden/written/llama");

    @TempDir
    Path run;

    private final PrintStream systemOut = System.out;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    CheckpointCommandTest() {
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void restore() {
        System.setOut(systemOut);
    }

    @BeforeEach
    void copyCheckpoints() throws IOException {
        for (String name : List.of("step-00000000", "step-00000005", "quarantine-step-00000007")) {
            Path folder = Files.createDirectories(run.resolve("checkpoints").resolve(name));
            try (Stream<Path> files = Files.list(MODEL)) {
                for (Path file : files.toList()) {
                    Files.copy(file, folder.resolve(file.getFileName()));
                }
            }
        }
        Path weights = checkpoint(5).resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(weights);
        bytes[bytes.length - 1] ^= 1;
        Files.write(weights, bytes);
    }

    private Path checkpoint(int step) {
        return run.resolve("checkpoints/step-0000000" + step);
    }

    @Test
    void listsWhatIsThere() throws IOException {
        assertThat(text("list", run.toString()))
                .containsPattern("(?m)^ +0 +[\\d.]+ KiB +\\d.* complete$")
                .containsPattern("(?m)^ +7 .* quarantined$");
        Files.delete(checkpoint(5).resolve("config.json"));
        JsonNode rows = json(0, "list", run.toString(), "--json");
        assertThat(rows).hasSize(3);
        assertThat(rows.get(0).get("state").asString()).isEqualTo("COMPLETE");
        assertThat(rows.get(1).get("state").asString()).isEqualTo("DAMAGED");
        assertThat(rows.get(1).get("problem").asString()).contains("config.json", "no such file");
        assertThat(Main.run("checkpoint", "list", "nowhere")).isEqualTo(65);
    }

    @Test
    void verifiesEveryByte() {
        JsonNode rows = json(65, "verify", run.toString(), "--json");
        assertThat(rows).hasSize(2);
        assertThat(rows.get(0).get("valid").asBoolean()).isTrue();
        assertThat(rows.get(1).get("valid").asBoolean()).isFalse();
        assertThat(rows.get(1).get("problem").asString()).contains("model.safetensors: expected checksum", "in tensor");
        assertThat(Main.run("checkpoint", "verify", checkpoint(0).toString())).isZero();
        assertThat(Main.run("checkpoint", "verify", checkpoint(5).toString())).isEqualTo(65);
        assertThat(Main.run("checkpoint", "verify", "nowhere")).isEqualTo(65);
        assertThat(checkpoint(5)).isDirectory();
    }

    @Test
    void inspectsTensors() {
        String name = "model.norm.weight";
        assertThat(text("inspect", checkpoint(0).toString())).contains("step 0", "config.json", name);
        JsonNode numbers = json(0, "inspect", checkpoint(0).toString(), "--tensor", name, "--json");
        try (Arena arena = Arena.ofConfined()) {
            float[] expected = Safetensors.read(MODEL.resolve("model.safetensors"), arena).stream()
                    .filter(tensor -> tensor.name().equals(name))
                    .findFirst()
                    .orElseThrow()
                    .data()
                    .toArray(ValueLayout.JAVA_FLOAT);
            double squares = 0;
            for (float value : expected) {
                squares += (double) value * value;
            }
            assertThat(numbers.get("elements").asLong()).isEqualTo(expected.length);
            assertThat(numbers.get("norm").asDouble()).isEqualTo(Math.sqrt(squares));
            assertThat(numbers.get("first").get(0).floatValue()).isEqualTo(expected[0]);
        }
        assertThat(Main.run("checkpoint", "inspect", checkpoint(0).toString(), "--tensor", "none"))
                .isEqualTo(65);
    }

    @Test
    void convertsToBf16InShards() {
        Path to = run.resolve("converted");
        JsonNode result = json(
                0,
                "convert",
                checkpoint(0).toString(),
                "--to",
                to.toString(),
                "--dtype",
                "bf16",
                "--max-shard-size",
                "2KB",
                "--json");
        assertThat(result.get("files").asInt()).isGreaterThan(1);
        assertThat(to)
                .isDirectoryContaining("glob:**/model.safetensors.index.json")
                .isDirectoryContaining("glob:**/tokenizer.json")
                .isDirectoryNotContaining("glob:**/manifest.json");
        assertThat(Json.readObject(to.resolve("config.json")).get("torch_dtype").asString())
                .isEqualTo("bfloat16");
        try (Arena arena = Arena.ofConfined()) {
            List<NamedTensor> exact = Safetensors.read(MODEL.resolve("model.safetensors"), arena);
            List<NamedTensor> rounded = Safetensors.readFolder(to, "model", arena);
            assertThat(rounded)
                    .extracting(NamedTensor::name)
                    .containsExactlyInAnyOrderElementsOf(
                            exact.stream().map(NamedTensor::name).toList());
            for (NamedTensor tensor : rounded) {
                float[] expected = exact.stream()
                        .filter(each -> each.name().equals(tensor.name()))
                        .findFirst()
                        .orElseThrow()
                        .data()
                        .toArray(ValueLayout.JAVA_FLOAT);
                for (int i = 0; i < expected.length; i++) {
                    float value =
                            Float.intBitsToFloat(tensor.data().getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, i) << 16);
                    float down = Float.intBitsToFloat(Float.floatToRawIntBits(expected[i]) & 0xffff_0000);
                    float up = Float.intBitsToFloat((Float.floatToRawIntBits(expected[i]) & 0xffff_0000) + 0x1_0000);
                    float nearest = Math.abs(expected[i] - down) <= Math.abs(up - expected[i]) ? down : up;
                    assertThat(Math.abs(value - expected[i])).isEqualTo(Math.abs(nearest - expected[i]));
                }
            }
        }
        assertThat(Main.run("checkpoint", "verify", to.toString())).isEqualTo(65);
        assertThat(Main.run("generate", to.toString(), "--prompt", "the cat", "--max-tokens", "3"))
                .isZero();
        assertThat(Main.run("checkpoint", "convert", checkpoint(0).toString(), "--to", to.toString(), "--dtype", "f32"))
                .isEqualTo(65);
    }

    @Test
    void rejectsAWrongCommandLine() {
        String to = run.resolve("to").toString();
        assertThat(Main.run("checkpoint", "convert", run.toString(), "--to", to))
                .isEqualTo(64);
        assertThat(Main.run("checkpoint", "convert", run.toString(), "--to", to, "--dtype", "f16"))
                .isEqualTo(64);
        assertThat(Main.run(
                        "checkpoint", "convert", run.toString(), "--to", to, "--dtype", "f32", "--max-shard-size", "2"))
                .isEqualTo(64);
        assertThat(Main.run("checkpoint", "list")).isEqualTo(64);
    }

    private String text(String... arguments) {
        out.reset();
        assertThat(Main.run(Stream.concat(Stream.of("checkpoint"), Stream.of(arguments))
                        .toArray(String[]::new)))
                .isZero();
        return out.toString(StandardCharsets.UTF_8);
    }

    private JsonNode json(int code, String... arguments) {
        out.reset();
        assertThat(Main.run(Stream.concat(Stream.of("checkpoint"), Stream.of(arguments))
                        .toArray(String[]::new)))
                .isEqualTo(code);
        return Json.MAPPER.readTree(out.toByteArray());
    }
}
