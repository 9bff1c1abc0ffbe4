package org.quern.launcher.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A Slurm of this machine alone, with its own configuration, key and ports: it is in the way of no other.
///
/// Needs root, slurmctld, slurmd, slurm-client and munge.
final class OneNodeSlurm implements AutoCloseable {
    private final Path folder;
    private final Path configuration;
    private final List<Process> daemons = new ArrayList<>();

    /// Waits until it takes jobs.
    OneNodeSlurm(Path folder) throws IOException, InterruptedException {
        this.folder = Files.createDirectory(folder);
        this.configuration = folder.resolve("slurm.conf");
        Path socket = folder.resolve("munge.socket");
        Path key = folder.resolve("munge.key");
        String host = InetAddress.getLocalHost().getHostName().replaceAll("\\..*", "");
        Files.createDirectory(folder.resolve("state"));
        Files.createDirectory(folder.resolve("spool"));
        // The batch step of a requeued job waits until credentials of the last one have expired: two minutes, if not
        // told otherwise.
        Files.writeString(configuration, """
                ClusterName=quern
                SlurmctldHost=%1$s(127.0.0.1)
                SlurmctldPort=%2$d
                SlurmdPort=%3$d
                SlurmUser=root
                SlurmdUser=root
                AuthType=auth/munge
                AuthInfo=socket=%4$s,cred_expire=5
                StateSaveLocation=%5$s/state
                SlurmdSpoolDir=%5$s/spool
                SlurmctldPidFile=%5$s/slurmctld.pid
                SlurmdPidFile=%5$s/slurmd.pid
                SlurmctldLogFile=%5$s/slurmctld.log
                SlurmdLogFile=%5$s/slurmd.log
                ProctrackType=proctrack/linuxproc
                TaskPlugin=task/none
                SelectType=select/cons_tres
                SchedulerType=sched/builtin
                ReturnToService=2
                MpiDefault=none
                NodeName=%1$s NodeAddr=127.0.0.1 CPUs=%6$d
                PartitionName=all Nodes=ALL Default=YES OverSubscribe=FORCE:4
                """.formatted(
                        host,
                        freePort(),
                        freePort(),
                        socket,
                        folder,
                        Runtime.getRuntime().availableProcessors()));
        try {
            assertThat(run("mungekey", "--create", "--keyfile=" + key))
                    .as("mungekey")
                    .isZero();
            start(
                    "munged",
                    "--foreground",
                    "--force",
                    "--socket=" + socket,
                    "--key-file=" + key,
                    "--pid-file=" + folder.resolve("munged.pid"),
                    "--seed-file=" + folder.resolve("munged.seed"),
                    "--log-file=" + folder.resolve("munged.log"));
            TinyJob.await(() -> Files.exists(socket) || ended());
            start("slurmctld", "-D");
            start("slurmd", "-D");
            TinyJob.await(
                    () -> ended() || said("sinfo", "--noheader", "--format=%T").equals("idle"));
            assertThat(ended()).as(this::logs).isFalse();
        } catch (IOException | InterruptedException | AssertionError e) {
            close();
            throw e;
        }
    }

    /// What a command of Slurm prints, its errors too.
    String said(String... command) throws IOException {
        Process process = command(command).start();
        return new String(process.getInputStream().readAllBytes()).strip();
    }

    /// What tells its commands of it.
    Map<String, String> environment() {
        return Map.of("SLURM_CONF", configuration.toString());
    }

    private ProcessBuilder command(String... command) {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment());
        return builder;
    }

    /// What its daemons have said.
    String logs() {
        return Stream.of("munged", "slurmctld", "slurmd")
                .map(name -> folder.resolve(name + ".log"))
                .filter(Files::exists)
                .map(log -> {
                    try {
                        return log + ":\n" + Files.readString(log);
                    } catch (IOException e) {
                        return e.toString();
                    }
                })
                .collect(Collectors.joining("\n"));
    }

    /// Ends its jobs and daemons.
    @Override
    public void close() throws IOException {
        try {
            end();
        } catch (InterruptedException _) {
            daemons.forEach(Process::destroyForcibly);
            Thread.currentThread().interrupt();
        }
    }

    private void end() throws IOException, InterruptedException {
        if (daemons.size() == 3 && !ended()) {
            run("scancel", "--user=root");
            TinyJob.await(() -> said("squeue", "--noheader").isEmpty());
        }
        for (Process daemon : daemons.reversed()) {
            daemon.destroy();
            if (!daemon.waitFor(30, TimeUnit.SECONDS)) {
                daemon.destroyForcibly().waitFor();
            }
        }
    }

    private boolean ended() {
        return daemons.stream().anyMatch(daemon -> !daemon.isAlive());
    }

    private void start(String... command) throws IOException {
        daemons.add(command(command)
                .redirectOutput(folder.resolve(command[0] + ".log").toFile())
                .start());
    }

    private int run(String... command) throws IOException, InterruptedException {
        return command(command).redirectOutput(Redirect.INHERIT).start().waitFor();
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
