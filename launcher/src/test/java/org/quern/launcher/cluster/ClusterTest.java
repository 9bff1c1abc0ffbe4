package org.quern.launcher.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The same weights, whatever starts the workers. Needs root, `mpirun` (openmpi-bin), `ip` (iproute2) and Slurm
/// ([OneNodeSlurm]); `torchrun`, of PyTorch, where there is one.
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

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    @Test
    void mpirunStartsWorkers() throws Exception {
        assertSucceeds(train(List.of(), "alone"), "alone");
        List<String> mpirun = List.of("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2");
        assertSucceeds(train(mpirun, "mpi"), "mpi");
        assertThat(job.output("mpi")).contains("worker 1 of 2 (OMPI_COMM_WORLD_RANK");
        assertThat(job.weights("mpi", STEPS)).isEqualTo(job.weights("alone", STEPS));
    }

    /// With the secret of the job in the environment, as its users would have on several machines.
    @Test
    void torchrunStartsWorkers() throws Exception {
        assumeThat(System.getenv("PATH").split(":"))
                .as("torchrun on the PATH")
                .anyMatch(path -> Files.isExecutable(Path.of(path, "torchrun")));
        assertSucceeds(train(List.of(), "alone"), "alone");
        ProcessBuilder torchrun =
                job.command(List.of("torchrun", "--nproc-per-node=2", "--no-python", "--"), "torchrun");
        torchrun.environment().put(JobToken.VALUE, "a secret of the job's processes");
        assertSucceeds(torchrun.start(), "torchrun");
        assertThat(job.output("torchrun")).contains("worker 1 of 2 (RANK");
        assertThat(job.run("torchrun").resolve("token")).doesNotExist();
        assertThat(job.weights("torchrun", STEPS)).isEqualTo(job.weights("alone", STEPS));
    }

    @Test
    void srunStartsWorkers() throws Exception {
        assertSucceeds(train(List.of(), "alone"), "alone");
        try (OneNodeSlurm slurm = new OneNodeSlurm(folder.resolve("slurm"))) {
            ProcessBuilder srun = job.command(List.of("srun", "--ntasks=2", "--overcommit"), "srun");
            srun.environment().putAll(slurm.environment());
            assertSucceeds(srun.start(), "srun");
        }
        assertThat(job.output("srun")).contains("worker 1 of 2 (SLURM_PROCID");
        assertThat(job.weights("srun", STEPS)).isEqualTo(job.weights("alone", STEPS));
    }

    /// The script that is shipped: its signal saves and stops, and the job that puts itself back goes on from there.
    @Test
    void batchJobGoesOnAfterItsPreemption() throws Exception {
        int steps = 1000;
        TinyJob longer = new TinyJob(Files.createDirectory(folder.resolve("longer")), steps);
        assertThat(longer.train("alone")).isZero();
        Path script = folder.resolve("quern");
        Files.writeString(script, longer.script());
        assertThat(script.toFile().setExecutable(true)).isTrue();
        Path log = folder.resolve("batch.log");
        try (OneNodeSlurm slurm = new OneNodeSlurm(folder.resolve("slurm"))) {
            String id = slurm.said(
                    "sbatch",
                    "--parsable",
                    "--nodes=1",
                    "--gpus-per-node=0",
                    "--cpus-per-task=1",
                    "--output=" + log,
                    "--export=ALL,HOME=" + folder + ",QUERN=" + script,
                    Path.of("../docker/slurm/train.sub").toAbsolutePath().toString(),
                    longer.file().toString(),
                    "--run=" + longer.run("batch"));
            assertThat(id).as(slurm::logs).matches("\\d+");
            TinyJob.await(() -> !longer.losses("batch").isEmpty()
                    || slurm.said("squeue", "--noheader").isEmpty());
            assertThat(longer.losses("batch"))
                    .as(() -> read(log) + slurm.logs())
                    .isNotEmpty();
            slurm.said("scancel", "--batch", "--signal=USR2", id);
            TinyJob.await(() -> slurm.said("squeue", "--noheader").isEmpty());
            assertThat(slurm.said("scontrol", "show", "job", id))
                    .as(() -> read(log) + slurm.logs())
                    .contains("JobState=COMPLETED", "Restarts=1", "ExitCode=0:0");
        }
        assertThat(read(log)).contains("node 0 of 1 (SLURM_PROCID", "with a checkpoint", "going on: step");
        assertThat(folder)
                .isDirectoryNotContaining(path -> path.getFileName().toString().startsWith(".quern-job"));
        assertThat(longer.weights("batch", steps)).isEqualTo(longer.weights("alone", steps));
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
