package org.quern.launcher.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The same weights, whatever starts the workers. Needs root, `mpirun` (openmpi-bin) and `ip` (iproute2).
@Tag("cluster")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class ClusterTest {
    @TempDir
    private Path folder;

    @BeforeEach
    void writeConfiguration() throws IOException {
        Files.writeString(
                folder.resolve("text.txt"),
                IntStream.range(0, 99)
                        .mapToObj("All work and no play makes Jack %d a dull boy."::formatted)
                        .collect(Collectors.joining("\f")));
        Files.writeString(folder.resolve("tiny.yaml"), """
                model: {architecture: llama, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2}
                tokenizer: {train: {vocab_size: 270}}
                data: {text: [text.txt]}
                train: {steps: 10, global_batch: 8, sequence_length: 16}
                optimizer: {lr: 1e-3}
                """);
    }

    /// @param prefix what starts it
    private Process train(List<String> prefix, String run, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(List.of(
                System.getProperty("java.home") + "/bin/java",
                "--enable-native-access=ALL-UNNAMED",
                "--add-exports=java.base/jdk.internal.module=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                "org.quern.launcher.Main",
                "train",
                folder.resolve("tiny.yaml").toString(),
                "--run",
                folder.resolve(run).toString()));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(Redirect.appendTo(folder.resolve(run + ".txt").toFile()))
                .start();
    }

    private void assertSucceeds(Process process, String run) throws Exception {
        int code = process.waitFor();
        assertThat(code).as(() -> output(run)).isZero();
    }

    private String output(String run) {
        try {
            return Files.readString(folder.resolve(run + ".txt"));
        } catch (IOException e) {
            return e.toString();
        }
    }

    private byte[] weights(String run) throws IOException {
        return Files.readAllBytes(folder.resolve(run + "/checkpoints/step-00000010/model.safetensors"));
    }

    @Test
    void mpirunStartsWorkers() throws Exception {
        assertSucceeds(train(List.of(), "alone"), "alone");
        List<String> mpirun = List.of("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2");
        assertSucceeds(train(mpirun, "mpi"), "mpi");
        assertThat(output("mpi")).contains("worker 1 of 2 (OMPI_COMM_WORLD_RANK");
        assertThat(weights("mpi")).isEqualTo(weights("alone"));
    }

    @Test
    void twoNetworkNamespacesAreTwoMachines() throws Exception {
        assertSucceeds(train(List.of(), "alone"), "alone");
        try {
            for (String line : List.of(
                    "ip netns add quern0",
                    "ip netns add quern1",
                    "ip link add quern0 type veth peer name quern1",
                    "ip link set quern0 netns quern0",
                    "ip link set quern1 netns quern1",
                    "ip -n quern0 addr add 10.213.7.1/24 dev quern0",
                    "ip -n quern1 addr add 10.213.7.2/24 dev quern1",
                    "ip -n quern0 link set quern0 up",
                    "ip -n quern1 link set quern1 up")) {
                assertThat(run(line)).as(line).isZero();
            }
            List<Process> nodes = new ArrayList<>();
            for (int node : new int[] {1, 0}) {
                nodes.add(train(
                        List.of("ip", "netns", "exec", "quern" + node),
                        "nodes",
                        "--workers",
                        "1",
                        "--nodes",
                        "2",
                        "--node-rank",
                        "" + node,
                        "--rendezvous",
                        "10.213.7.1"));
            }
            for (Process node : nodes) {
                assertSucceeds(node, "nodes");
            }
        } finally {
            run("ip netns del quern0");
            run("ip netns del quern1");
        }
        assertThat(weights("nodes")).isEqualTo(weights("alone"));
    }

    private static int run(String line) throws Exception {
        return new ProcessBuilder(line.split(" ")).inheritIO().start().waitFor();
    }
}
