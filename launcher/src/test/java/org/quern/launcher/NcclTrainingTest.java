package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.quern.gpu.StubLibrary;

/// Workers with a GPU each, on libraries in place of NVIDIA's: the driver's runs no kernels, so that all
/// gradients are zeros, and NCCL's sums what it is given. What they compute is tested elsewhere; here, who asks
/// whom for what.
@Timeout(value = 15, unit = TimeUnit.MINUTES)
class NcclTrainingTest {
    @TempDir
    private Path folder;

    @BeforeEach
    void prepare() throws Exception {
        StubLibrary.compile(folder, "/gpu/driver.c", "libcuda.so.1");
        Files.writeString(
                folder.resolve("text.txt"),
                IntStream.range(0, 99)
                        .mapToObj("All work and no play makes Jack %d a dull boy."::formatted)
                        .collect(Collectors.joining("\f")));
        Files.writeString(folder.resolve("tiny.yaml"), """
                run: {device: cuda}
                model: {architecture: gpt2, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2}
                tokenizer: {train: {vocab_size: 270}}
                data: {text: [text.txt]}
                train: {steps: 12, global_batch: 2, sequence_length: 8, spike_guard: off}
                optimizer: {lr: 1e-3}
                checkpoint: {every: 5}
                """);
    }

    private int train(Map<String, String> environment, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--add-exports=java.base/jdk.internal.module=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "train",
                folder.resolve("tiny.yaml").toString(),
                "--run",
                folder.resolve("run").toString()));
        command.addAll(List.of(arguments));
        Map<String, String> all = new HashMap<>(environment);
        all.put("LD_LIBRARY_PATH", folder.toString());
        all.put("NCCL_CALLS", folder.resolve("calls").toString());
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("output.txt").toFile());
        builder.environment().putAll(all);
        return builder.start().waitFor();
    }

    private String output() throws Exception {
        return Files.readString(folder.resolve("output.txt"));
    }

    /// One dies in the middle of a sum; the other leaves the group, both start again and form another.
    @Test
    void gradientsGoByNcclAndStartAgain() throws Exception {
        StubLibrary.compile(folder, "/collective/nccl.c", "libnccl.so.2");
        int code = train(
                Map.of("NCCL_DIE", "1 7 " + folder.resolve("died")),
                "--workers",
                "2",
                "--set",
                "workers.zero_stage=1",
                "--set",
                "workers.bucket_mib=1");
        assertThat(code).as(this::text).isZero();
        assertThat(output())
                .contains("worker 0 of 2 joins by NCCL 2.30.7")
                .contains("was ended by SIGKILL")
                .contains("starting all workers again");
        List<String> calls = Files.readAllLines(folder.resolve("calls"));
        assertThat(calls).filteredOn("init 0"::equals).hasSize(2);
        assertThat(calls).filteredOn("init 1"::equals).hasSize(2);
        assertThat(calls).anyMatch(line -> line.startsWith("reduce")).anyMatch(line -> line.startsWith("broadcast"));
        assertThat(folder.resolve("run/checkpoints/step-00000012")).isDirectory();
        try (var files = Files.list(folder)) {
            assertThat(files).noneMatch(file -> file.getFileName().toString().startsWith("libnccl.so.2-"));
        }
    }

    private String text() {
        try {
            return output();
        } catch (Exception e) {
            return e.toString();
        }
    }

    @Test
    void saysWhatIsMissingBeforeAnythingStarts() throws Exception {
        assertThat(train(Map.of(), "--workers", "2")).isEqualTo(93);
        assertThat(output())
                .isEqualTo("no NCCL: libnccl.so.2 was not found, which workers on several GPUs need. Install NVIDIA's"
                        + " libnccl2, or name the folder that has it in LD_LIBRARY_PATH. workers.gradients=host sums"
                        + " them in the host's memory instead, which is slow.\n");
        assertThat(train(Map.of("RANK", "0", "WORLD_SIZE", "2", "LOCAL_RANK", "0")))
                .isEqualTo(93);
        assertThat(output()).contains("no NCCL: libnccl.so.2 was not found");
        assertThat(train(Map.of("COUNT", "1"), "--workers", "2")).isEqualTo(64);
        assertThat(output()).contains("2 workers were asked for, and this process sees 1 GPUs.");
    }
}
