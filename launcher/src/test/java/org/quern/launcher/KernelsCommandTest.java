package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.Json;
import org.quern.gpu.CudaDriver;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.check.KernelCase;
import org.quern.kernels.check.KernelFamily;
import org.quern.kernels.check.ProbeCases;
import picocli.CommandLine;
import tools.jackson.databind.JsonNode;

class KernelsCommandTest {
    private final PrintStream systemOut = System.out;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    KernelsCommandTest() {
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void restore() {
        System.setOut(systemOut);
    }

    private String output() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private List<JsonNode> lines() {
        return output().lines().map(Json.MAPPER::readTree).toList();
    }

    private static KernelFamily family(String name, Supplier<Stream<KernelCase>> cases) {
        return new KernelFamily(name, List.of(), cases, Stream::empty);
    }

    private static KernelFamily probes() {
        return family("probe", ProbeCases::cases);
    }

    /// Reads back what it uploads, and expects something else.
    private static KernelCase wrong() {
        return new KernelCase("wrong copy", device -> {
            DeviceMemory memory = device.f32(new float[] {1, 2});
            device.compare("y", device.readF32(memory), new double[] {1, 3}, 0, 0.5);
        });
    }

    private static int check(List<KernelFamily> families, String... arguments) {
        return new CommandLine(new KernelsCheckCommand(() -> families)).execute(arguments);
    }

    @Test
    void checksKernelsOnTheEmulator() {
        assertThat(Main.run("kernels", "check", "--device", "emulated", "--only", "probe"))
                .isZero();
        assertThat(output())
                .startsWith("emulated sm_90 (emulated, ")
                .contains("    quern kernels check --device emulated --only probe\n")
                .containsPattern("(?m)^ok +\\d\\.\\d{3} +0  probe ldmatrix.x4 layout$")
                .containsPattern("\nAll \\d\\d cases are right\\.\n$");
    }

    @Test
    void tunesOnAGpuOnly() {
        assertThat(Main.run("kernels", "tune", "--device", "emulated")).isEqualTo(64);
        assertThat(Main.run("kernels", "tune", "--device", "cuda", "--minutes", "0"))
                .isEqualTo(64);
        assertThat(Main.run("kernels", "tune", "--device", "cuda", "--only", "no such product"))
                .isEqualTo(64);
    }

    @Test
    void runsTheRestAfterAFailingCase() {
        List<KernelFamily> families = List.of(
                probes(),
                family("copy", () -> Stream.of(wrong(), new KernelCase("right copy", _ -> {}))),
                family(
                        "other",
                        () -> Stream.of(new KernelCase("other", _ -> {
                            throw new IllegalStateException("no");
                        }))));
        assertThat(check(families, "--device", "emulated")).isEqualTo(70);
        assertThat(output())
                .containsPattern("(?m)^FAILED +\\d\\.\\d{3} +2.00  wrong copy$")
                .contains("\n         y: 1 of 2 values are wrong; [1] is 2.0, expected 3.0 +- 0.500\n")
                .containsPattern("(?m)^ok +\\d\\.\\d{3} +right copy$")
                .containsPattern("(?m)^copy +2 +1 +1 +0 +\\d\\.\\d +2.00$")
                .containsPattern("(?m)^all +9 +7 +2 +0 +\\d\\.\\d +2.00$")
                .contains("2 of 9 cases are wrong:\n  wrong copy: y: 1 of 2")
                .endsWith("  other: java.lang.IllegalStateException: no\n");
    }

    @Test
    void runsNoKernelWhereAProbeFails() {
        List<KernelFamily> families = List.of(
                family("probe", () -> Stream.of(wrong())),
                family(
                        "never",
                        () -> Stream.of(new KernelCase("never", _ -> {
                            throw new AssertionError();
                        }))));
        assertThat(check(families, "--device", "emulated")).isEqualTo(70);
        assertThat(output())
                .contains("Single instructions do not do what the kernels count on. The 1 other cases were not run")
                .doesNotContain("never");
    }

    @Test
    void saysWhatTheTimeLimitLeftOut() {
        List<KernelFamily> families = List.of(family("probe", Stream::empty), family("copy", () -> Stream.of(wrong())));
        assertThat(check(families, "--device", "emulated", "--time-limit", "0")).isZero();
        assertThat(output())
                .containsPattern("(?m)^left out +wrong copy$")
                .endsWith("All 0 cases that were run are right.\n1 cases are left out: the time was over.\n");
    }

    @Test
    void printsOutcomesAsJson() {
        assertThat(check(
                        List.of(probes(), family("copy", () -> Stream.of(wrong()))),
                        "--device",
                        "emulated",
                        "--json",
                        "--seed",
                        "5"))
                .isEqualTo(70);
        List<JsonNode> lines = lines();
        assertThat(lines).hasSize(9);
        assertThat(lines.getFirst().at("/run/id").asString()).isEqualTo("emulated");
        assertThat(lines.getFirst().at("/run/driver").isNull()).isTrue();
        assertThat(lines.getFirst().get("seed").asInt()).isEqualTo(5);
        assertThat(lines.get(1).get("status").asString()).isEqualTo("OK");
        assertThat(lines.get(7).get("name").asString()).isEqualTo("wrong copy");
        assertThat(lines.get(7).get("status").asString()).isEqualTo("FAILED");
        assertThat(lines.get(7).get("error").asDouble()).isEqualTo(2);
        assertThat(lines.getLast().at("/families/1/family").asString()).isEqualTo("copy");
        assertThat(lines.getLast().at("/families/1/left_out").asInt()).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "kernels",
                "kernels check --device gpu",
                "kernels check --device cuda:x",
                "kernels check --device emulated --only nothing-has-this-name",
                "kernels check --time-limit soon",
                "bench",
                "bench cuda",
                "bench gpu",
                "bench gpu --device emulated --output figures",
                "bench gpu --minutes 0 --output figures",
                "bench kernels --device cpu",
                "bench kernels --device emulated --only nothing-has-this-name",
                "bench kernels --device emulated --torch python",
                "bench kernels --device emulated --seconds 0"
            })
    void rejectsAWrongCommandLine(String line) {
        assertThat(Main.run(line.split(" "))).isEqualTo(64);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "kernels check --device cuda",
                "kernels tune",
                "bench kernels --device cuda:1",
                "bench gpu --output figures"
            })
    void saysThatThereIsNoDriver(String line) {
        assumeThat(CudaDriver.isInstalled()).isFalse();
        assertThat(Main.run(line.split(" "))).isEqualTo(93);
        assertThat(output()).isEmpty();
    }

    @Test
    void countsOnTheEmulator() {
        String[] command = {"bench", "kernels", "--device", "emulated", "--only", "matmul odd dx"};
        assertThat(Main.run(command)).isZero();
        assertThat(output())
                .contains("Modelled from counters of the emulator, not measured.")
                .containsPattern("(?m)^\\| matmul odd dx, nn 129x136x200 +\\| +\\d+,\\d+ \\| +19\\.\\d M \\|");
        assertThat(output().lines().filter(line -> line.startsWith("|"))).hasSize(3);
    }

    @Test
    void printsCountsAsJson() {
        assertThat(Main.run("bench", "kernels", "--device", "emulated", "--only", "matmul odd dx", "--json"))
                .isZero();
        List<JsonNode> lines = lines();
        assertThat(lines).hasSize(2);
        assertThat(lines.getFirst().at("/run/id").asString()).isEqualTo("emulated");
        assertThat(lines.getLast().at("/counts/matrix_flop").asLong()).isGreaterThan(2L * 129 * 136 * 200);
        assertThat(lines.getLast().at("/modelled/tensor cores").asDouble()).isPositive();
    }

    @Test
    void leavesOutWhatItIsToldTo() {
        assertThat(Main.run(
                        "bench",
                        "kernels",
                        "--device",
                        "emulated",
                        "--only",
                        "matmul odd",
                        "--except",
                        "odd dx",
                        "--except",
                        "forward",
                        "--json"))
                .isZero();
        assertThat(lines().getLast().get("name").asString()).startsWith("matmul odd dw");
        assertThat(lines()).hasSize(2);
    }
}
