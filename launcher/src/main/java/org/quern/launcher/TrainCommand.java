package org.quern.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.collective.CommunicatorException;
import org.quern.config.ConfigWriter;
import org.quern.config.RunConfig;
import org.quern.executor.Devices;
import org.quern.launcher.cluster.Address;
import org.quern.launcher.cluster.Assignment;
import org.quern.launcher.cluster.Communicators;
import org.quern.launcher.cluster.JobToken;
import org.quern.launcher.cluster.Launch;
import org.quern.launcher.cluster.Role;
import org.quern.launcher.cluster.RoleDetector;
import org.quern.launcher.cluster.WorkerProgram;
import org.quern.launcher.dashboard.DashboardServer;
import org.quern.launcher.page.PageAccess;
import org.quern.train.Preparation;
import org.quern.train.TrainEvent;
import org.quern.train.TrainingRun;
import org.quern.train.Workers;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `quern train`: a run from its configuration to its last checkpoint.
@Command(
        name = "train",
        description = "Trains a model, or goes on from the newest checkpoint of its run.",
        footer = {
            "",
            "Ctrl-C, SIGTERM or SIGUSR2 writes a checkpoint and ends with exit code 75; the same command goes on from "
                    + "there. SIGUSR1 writes a checkpoint and goes on."
        })
final class TrainCommand implements Callable<Integer> {
    @Mixin
    private ConfigArguments arguments;

    @Option(
            names = "--run",
            paramLabel = "DIR",
            description = "The run's folder; by default runs/NAME with the name of the configuration.")
    private Optional<Path> folder = Optional.empty();

    @Option(
            names = "--profile",
            description = "Time the operations of the third step to the fifth: a table here, a trace in DIR/profile.")
    private boolean profile;

    @Option(
            names = "--dashboard",
            paramLabel = "[HOST:]PORT",
            description = "Show the run in a browser while it goes on, as quern dashboard does; 0: any free port.")
    private Optional<String> dashboard = Optional.empty();

    @Option(names = "--json", description = "Print the result as JSON.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--workers",
            paramLabel = "N|auto",
            description = "Start N processes that train together, watch them, and start them again when one fails."
                    + " auto: one a GPU, or one on a CPU.")
    private Optional<String> workers = Optional.empty();

    @Option(names = "--nodes", paramLabel = "M", description = "Machines that train together; each starts workers.")
    private Optional<Integer> nodes = Optional.empty();

    @Option(names = "--node-rank", paramLabel = "R", description = "Which of them this is, from 0.")
    private Optional<Integer> nodeRank = Optional.empty();

    @Option(
            names = "--rendezvous",
            paramLabel = "HOST:PORT",
            description = "Where node 0 listens; schedulers say it, too. Port 29500 by default.")
    private Optional<String> rendezvous = Optional.empty();

    @Override
    public Integer call() throws IOException, InterruptedException {
        Map<String, String> environment = System.getenv();
        Optional<Assignment> assignment = Assignment.of(environment);
        if (assignment.isPresent()) {
            return new TrainWorker(arguments, profile).run(assignment.get(), this::runFolder);
        }
        RunConfig config = arguments.read();
        Path run = runFolder(config);
        Path logs = Files.createDirectories(run.resolve("logs"));
        Optional<Role> role = RoleDetector.detect(
                environment,
                new RoleDetector.Asked(
                        workers, nodes, nodeRank, rendezvous.map(text -> Address.parse(text, "--rendezvous"))));
        RunSummary summary = new RunSummary(run);
        int code;
        try (DashboardServer _ = isFirst(role) ? serveDashboard(run) : null) {
            code = run(role, config, run, logs, summary);
        }
        if (!summary.isEmpty() && (code == ExitCode.OK.code() || code == ExitCode.PREEMPTED.code())) {
            System.out.println(json ? summary.json() : summary.text());
        }
        if (code == ExitCode.PREEMPTED.code()) {
            List<String> command =
                    spec.commandLine().getParent().getParseResult().originalArgs();
            Terminal.error().print("to go on: " + Shell.command(command));
        }
        return code;
    }

    /// Processes of one run do not write into the same log.
    private static String logName(int index) {
        return index == 0 ? "train.log" : "train-%d.log".formatted(index);
    }

    private int run(Optional<Role> role, RunConfig config, Path run, Path logs, RunSummary summary)
            throws IOException, InterruptedException {
        return switch (role.orElse(null)) {
            case Role.Launcher launcher
            when launches(launcher) -> {
                Logs.alsoTo(logs.resolve(logName(launcher.node())));
                yield launch(launcher, config, logs, summary);
            }
            case Role.Worker worker -> {
                Logs.alsoTo(logs.resolve(logName(worker.rank())));
                yield together(worker, config, run, summary);
            }
            case null, default -> {
                Logs.alsoTo(logs.resolve(logName(0)));
                yield train(config, run, summary, Workers.alone());
            }
        };
    }

    /// Whether this is the process of a job that shows the run.
    private static boolean isFirst(Optional<Role> role) {
        return switch (role.orElse(null)) {
            case Role.Launcher launcher -> launcher.node() == 0;
            case Role.Worker worker -> worker.rank() == 0;
            case null -> true;
        };
    }

    /// @return null where none is wanted
    private DashboardServer serveDashboard(Path run) {
        if (dashboard.isEmpty()) {
            return null;
        }
        Matcher address = Pattern.compile("(?:(.+):)?(\\d{1,5})").matcher(dashboard.get());
        if (!address.matches()) {
            throw new QuernException(ExitCode.USAGE, "--dashboard must be PORT or HOST:PORT: got " + dashboard.get());
        }
        String host = Optional.ofNullable(address.group(1)).orElse("127.0.0.1");
        DashboardServer server = new DashboardServer(
                List.of(run), PageAccess.address(host, Integer.parseInt(address.group(2))), PageAccess.token());
        Terminal.error().print("dashboard: " + server.url());
        return server;
    }

    private Path runFolder(RunConfig config) {
        return folder.orElseGet(() -> arguments.runFolder(config));
    }

    /// A machine on its own needs no other process for one worker.
    private static boolean launches(Role.Launcher role) {
        return role.nodes() > 1 || role.workers().isPresent();
    }

    /// As a worker that a scheduler has started.
    private int together(Role.Worker worker, RunConfig config, Path run, RunSummary summary) {
        Terminal.error().print("worker %d of %d (%s)".formatted(worker.rank(), worker.world(), worker.source()));
        if (worker.rank() > 0) {
            Logs.onlyWarnings();
        }
        Map<String, String> environment = System.getenv();
        boolean nccl = config.workers().needNccl(config.run().device(), worker.world());
        if (nccl) {
            GpuWorkers.requireNccl();
        }
        Duration limit = Duration.ofSeconds((long) config.workers().stepTimeout());
        try (Workers all = Communicators.meet(worker, environment, JobToken.find(environment, run), limit, nccl)) {
            return train(arguments.forWorker(config, worker.localRank(), worker.localWorld()), run, summary, all);
        } catch (CommunicatorException e) {
            throw new QuernException(ExitCode.RETRYABLE, e.getMessage(), e);
        }
    }

    private int train(RunConfig config, Path run, RunSummary summary, Workers all) {
        ProgressDisplay display = new ProgressDisplay(Terminal.error());
        TrainEvent.Listener both = event -> {
            display.on(event);
            summary.on(event);
        };
        Preparation preparation = display;
        StopSignal stop = new StopSignal("stopping after this step, with a checkpoint (once more: at once)");
        boolean complete = new TrainingRun(
                        config,
                        run,
                        all.isFirst() ? both : _ -> {},
                        all.isFirst() ? preparation : (_, _, _) -> {},
                        new SaveSignal(),
                        stop,
                        all,
                        profile)
                .run();
        return (complete ? ExitCode.OK : ExitCode.PREEMPTED).code();
    }

    private int launch(Role.Launcher role, RunConfig config, Path logs, RunSummary summary)
            throws InterruptedException {
        ProgressDisplay display = new ProgressDisplay(Terminal.error());
        int here = WorkerCount.of(role.workers(), config.run().device());
        if (config.workers().needNccl(config.run().device(), here * role.nodes())) {
            GpuWorkers.requireGpus(here);
            GpuWorkers.requireNccl();
        }
        int threads = Math.max(1, Runtime.getRuntime().availableProcessors() / here);
        List<String> command = OwnProgram.worker(
                threads,
                List.of("-XX:ErrorFile=" + logs.resolve("crash-%p.txt")),
                spec.commandLine().getParent().getParseResult().originalArgs());
        Terminal.error()
                .print("node %d of %d (%s): %d worker%s with %d thread%s%s"
                        .formatted(
                                role.node(),
                                role.nodes(),
                                role.source(),
                                here,
                                here == 1 ? "" : "s",
                                threads,
                                threads == 1 ? "" : "s",
                                here == 1 ? "" : " each"));
        Optional<byte[]> token =
                role.nodes() == 1 ? Optional.empty() : Optional.of(JobToken.find(System.getenv(), logs.getParent()));
        Launch launch = new Launch(
                role,
                here,
                new WorkerProgram(command, token.map(JobToken::environment).orElse(Map.of()), rehearses(config)),
                config.workers(),
                ConfigWriter.yaml(config),
                logs,
                Terminal.error()::print,
                event -> {
                    display.on(event);
                    summary.on(event);
                });
        return token.isPresent() ? launch.run(WorkerSignals::forward, token.get()) : launch.run(WorkerSignals::forward);
    }

    /// A process that stands by for a GPU could not rehearse without its memory.
    private static boolean rehearses(RunConfig config) {
        return config.workers().standby()
                && config.workers().maxRestarts() > 0
                && Set.of(Devices.AUTO, Devices.CPU).contains(config.run().device());
    }
}
