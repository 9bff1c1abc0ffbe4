package org.quern.launcher.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.launcher.cluster.Role.Launcher;
import org.quern.launcher.cluster.Role.Worker;
import org.quern.launcher.cluster.RoleDetector.Asked;

class RoleDetectorTest {
    private static final Asked NOTHING =
            new Asked(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());
    private static final Asked TWO_WORKERS =
            new Asked(Optional.of("2"), Optional.empty(), Optional.empty(), Optional.empty());

    private static final String TORCHRUN =
            "RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 LOCAL_WORLD_SIZE=4 GROUP_RANK=1 MASTER_ADDR=head MASTER_PORT=29501";
    private static final String SRUN =
            "SLURM_STEP_ID=0 SLURM_JOB_ID=4540 SLURM_PROCID=5 SLURM_NTASKS=8 SLURM_NNODES=2 SLURM_NODEID=1"
                    + " SLURM_LOCALID=1 SLURM_STEP_NODELIST=n[07-08] SLURM_STEP_TASKS_PER_NODE=4(x2)";

    private static Map<String, String> environment(String words) {
        return Arrays.stream(words.split(" "))
                .filter(word -> !word.isEmpty())
                .map(word -> word.split("=", 2))
                .collect(Collectors.toMap(pair -> pair[0], pair -> pair[1].replace(';', '\n')));
    }

    private static Role detect(String environment, Asked asked) {
        return RoleDetector.detect(environment(environment), asked).orElseThrow();
    }

    private static Worker worker(String environment) {
        return (Worker) detect(environment, NOTHING);
    }

    private static Launcher launcher(String environment) {
        return (Launcher) detect(environment, NOTHING);
    }

    @Test
    void isAloneWithoutAnyoneSayingOtherwise() {
        assertThat(RoleDetector.detect(Map.of(), NOTHING)).isEmpty();
        assertThat(RoleDetector.detect(environment("RANK= WORLD_SIZE="), NOTHING))
                .isEmpty();
        assertThat(RoleDetector.detect(environment("JOB_COMPLETION_INDEX=3"), NOTHING))
                .isEmpty();
    }

    @Test
    void launchesWhatTheCommandLineSays() {
        assertThat(detect("", TWO_WORKERS))
                .isEqualTo(new Launcher("--workers", 0, 1, Optional.of("2"), Optional.empty()));
        Address address = new Address("head", 1234);
        Asked asked = new Asked(Optional.of("auto"), Optional.of(3), Optional.of(2), Optional.of(address));
        assertThat(detect(SRUN, asked))
                .isEqualTo(new Launcher("--nodes, --node-rank", 2, 3, Optional.of("auto"), Optional.of(address)));
    }

    @Test
    void readsTorchrun() {
        assertThat(worker(TORCHRUN))
                .isEqualTo(new Worker(
                        "RANK, WORLD_SIZE, LOCAL_RANK", 5, 8, 1, 4, 1, 2, Optional.of(new Address("head", 29501))));
        Worker one = worker("RANK=3 WORLD_SIZE=4 LOCAL_RANK=3");
        assertThat(one.localWorld()).isEqualTo(4);
        assertThat(one.nodes()).isEqualTo(1);
        assertThat(one.rendezvous()).isEmpty();
    }

    @Test
    void readsSlurm() {
        Worker worker = worker(SRUN);
        assertThat(worker.source()).contains("SLURM_PROCID");
        assertThat(worker)
                .isEqualTo(new Worker(
                        worker.source(), 5, 8, 1, 4, 1, 2, Optional.of(new Address("n07", 61_000 + 4540 % 4536))));
        Launcher launcher = launcher("SLURM_STEPID=1 SLURM_JOB_ID=7 SLURM_PROCID=1 SLURM_NTASKS=2 SLURM_NNODES=2"
                + " SLURM_STEP_NODELIST=a,b");
        assertThat(launcher.node()).isEqualTo(1);
        assertThat(launcher.nodes()).isEqualTo(2);
        assertThat(launcher.rendezvous()).contains(new Address("a", 61_007));
    }

    @Test
    void doesNotTakeSlurmsBatchScriptForATask() {
        assertThat(RoleDetector.detect(
                        environment("SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_NNODES=2"), NOTHING))
                .isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"a,b|a", "n[07-08]|n07", "n[3,5-9]|n3", "r[1-2]n[04-05]-ib,z|r1n04-ib", "one|one"})
    void findsSlurmsFirstHost(String list, String host) {
        assertThat(SlurmLists.firstHost(list)).isEqualTo(host);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"4|0|4", "2(x3),1|2|2", "2(x3),1|3|1", "1,8(x2)|1|8"})
    void countsSlurmsTasks(String list, int node, int tasks) {
        assertThat(SlurmLists.tasks(list, node)).isEqualTo(tasks);
    }

    @Test
    void readsOpenMpi() {
        String two = "OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_RANK=1"
                + " OMPI_COMM_WORLD_NODE_RANK=1 OMPI_COMM_WORLD_LOCAL_SIZE=2 MASTER_ADDR=10.0.0.1";
        Worker worker = worker(two);
        assertThat(worker.node()).isEqualTo(1);
        assertThat(worker.nodes()).isEqualTo(2);
        assertThat(worker.rendezvous()).contains(new Address("10.0.0.1", 29500));
        Launcher launcher =
                launcher(two.replace("LOCAL_SIZE=2", "LOCAL_SIZE=1").replace("LOCAL_RANK=1", "LOCAL_RANK=0"));
        assertThat(launcher.node()).isEqualTo(3);
        assertThat(launcher.nodes()).isEqualTo(4);
    }

    @Test
    void readsPmi() {
        Worker worker = worker("PMI_RANK=1 PMI_SIZE=2 MPI_LOCALRANKID=1 MPI_LOCALNRANKS=2");
        assertThat(worker.rank()).isEqualTo(1);
        assertThat(worker.localRank()).isEqualTo(1);
    }

    @Test
    void readsKubernetes() {
        Launcher indexed = launcher("JOB_COMPLETION_INDEX=1 QUERN_NODES=2 MASTER_ADDR=job-0.service");
        assertThat(indexed.node()).isEqualTo(1);
        assertThat(indexed.rendezvous()).contains(new Address("job-0.service", 29500));
        Launcher set = launcher("JOBSET_JOB_INDEX=2 JOBSET_PODS_PER_JOB=4 JOB_COMPLETION_INDEX=3 QUERN_NODES=12");
        assertThat(set.node()).isEqualTo(11);
        Launcher kubeflow = launcher("PET_NNODES=4 PET_NPROC_PER_NODE=gpu PET_NODE_RANK=2 PET_MASTER_ADDR=head"
                + " PET_MASTER_PORT=29400 JOB_COMPLETION_INDEX=2");
        assertThat(kubeflow)
                .isEqualTo(new Launcher(
                        "PET_NNODES, PET_NODE_RANK",
                        2,
                        4,
                        Optional.of("auto"),
                        Optional.of(new Address("head", 29400))));
    }

    @Test
    void readsVolcano() {
        Launcher plugin = launcher("RANK=1 WORLD_SIZE=3 MASTER_ADDR=master-0 VC_TASK_INDEX=0");
        assertThat(plugin.node()).isEqualTo(1);
        assertThat(plugin.nodes()).isEqualTo(3);
        Launcher hosts = launcher("VC_TASK_INDEX=1 VC_WORKER_HOSTS=w-0.job,w-1.job");
        assertThat(hosts.node()).isEqualTo(1);
        assertThat(hosts.rendezvous()).contains(new Address("w-0.job", 29500));
    }

    @Test
    void readsSkyPilot() {
        Launcher launcher = launcher("SKYPILOT_NODE_RANK=1 SKYPILOT_NUM_NODES=2 SKYPILOT_NUM_GPUS_PER_NODE=8"
                + " SKYPILOT_NODE_IPS=10.0.0.4;10.0.0.5");
        assertThat(launcher.workers()).contains("8");
        assertThat(launcher.rendezvous()).contains(new Address("10.0.0.4", 29500));
    }

    @Test
    void theFirstCompleteSetWins() {
        assertThat(worker(TORCHRUN + " " + SRUN).source()).startsWith("RANK");
        String nodes = "SKYPILOT_NODE_RANK=0 SKYPILOT_NUM_NODES=1";
        assertThat(worker(TORCHRUN + " " + nodes).rank()).isEqualTo(5);
    }

    @ParameterizedTest
    @CsvSource({
        "RANK=2 WORLD_SIZE=2 LOCAL_RANK=0, RANK must be below 2",
        "RANK=x WORLD_SIZE=2 LOCAL_RANK=0, RANK must be a whole number",
        "RANK=0 WORLD_SIZE=0 LOCAL_RANK=0, WORLD_SIZE must be a whole number >= 1",
        "RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 MASTER_ADDR=a MASTER_PORT=99999, 'MASTER_ADDR, MASTER_PORT must be'",
        "JOB_COMPLETION_INDEX=2 QUERN_NODES=2, must be below 2",
        "PET_NNODES=2:4 PET_NODE_RANK=0, PET_NNODES must be a whole number",
    })
    void refusesWhatCannotBe(String environment, String message) {
        assertRefused(environment, NOTHING, message);
    }

    @Test
    void refusesContradictions() {
        assertRefused(
                TORCHRUN + " PMI_RANK=1 PMI_SIZE=2 MPI_LOCALRANKID=1 MPI_LOCALNRANKS=2",
                NOTHING,
                "worker 5 of 8 (RANK, WORLD_SIZE, LOCAL_RANK) contradicts worker 1 of 2 (PMI_RANK");
        assertRefused(
                "PET_NNODES=4 PET_NODE_RANK=2 SKYPILOT_NODE_RANK=1 SKYPILOT_NUM_NODES=4",
                NOTHING,
                "node 2 of 4 (PET_NNODES");
        assertRefused(TORCHRUN, TWO_WORKERS, "leave out --workers");
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void refusesANodeThatIsNone(int node) {
        Asked asked = new Asked(Optional.empty(), Optional.of(2), Optional.of(node), Optional.empty());
        assertRefused("", asked, "--node-rank must be below --nodes 2");
    }

    private static void assertRefused(String environment, Asked asked, String message) {
        assertThatThrownBy(() -> RoleDetector.detect(environment(environment), asked))
                .isInstanceOf(QuernException.class)
                .hasMessageContaining(message)
                .extracting(e -> ((QuernException) e).exitCode())
                .isEqualTo(ExitCode.USAGE);
    }

    @ParameterizedTest
    @CsvSource({"head, head, 29500", "head:1, head, 1", "[::1]:29, ::1, 29", "10.0.0.1:80, 10.0.0.1, 80"})
    void readsAddresses(String text, String host, int port) {
        assertThat(Address.parse(text, "x")).isEqualTo(new Address(host, port));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ":1", "a:b", "a:0", "a:70000", "a b", "::1"})
    void refusesWhatIsNoAddress(String text) {
        assertThatThrownBy(() -> Address.parse(text, "--rendezvous")).hasMessageContaining("--rendezvous must be");
    }
}
