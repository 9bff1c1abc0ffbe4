package org.quern.launcher.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The same weights, whatever starts the workers. Needs root, `mpirun` (openmpi-bin) and `ip` (iproute2).
@Tag("cluster")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class ClusterTest {
    private static final int STEPS = 10;

    @TempDir
    private Path folder;

    private TinyJob job;

    @BeforeEach
    void writeConfiguration() throws IOException {
        job = new TinyJob(folder, STEPS);
    }

    /// @param prefix what starts it
    private Process train(List<String> prefix, String run, String... arguments) throws IOException {
        return job.command(prefix, run, arguments).start();
    }

    private void assertSucceeds(Process process, String run) throws Exception {
        int code = process.waitFor();
        assertThat(code).as(() -> job.output(run)).isZero();
    }

    @Test
    void mpirunStartsWorkers() throws Exception {
        assertSucceeds(train(List.of(), "alone"), "alone");
        List<String> mpirun = List.of("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2");
        assertSucceeds(train(mpirun, "mpi"), "mpi");
        assertThat(job.output("mpi")).contains("worker 1 of 2 (OMPI_COMM_WORLD_RANK");
        assertThat(job.weights("mpi", STEPS)).isEqualTo(job.weights("alone", STEPS));
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
        assertThat(job.weights("nodes", STEPS)).isEqualTo(job.weights("alone", STEPS));
    }

    private static int run(String line) throws Exception {
        return new ProcessBuilder(line.split(" ")).inheritIO().start().waitFor();
    }
}
