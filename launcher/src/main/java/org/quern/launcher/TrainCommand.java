package org.quern.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.config.RunConfig;
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

    @Option(names = "--json", description = "Print the result as JSON.")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        RunConfig config = arguments.read();
        Path run = folder.orElseGet(() -> Path.of("runs", arguments.runName(config)));
        Path logs = Files.createDirectories(run.resolve("logs"));
        Logs.alsoTo(logs.resolve("train.log"));
        ProgressDisplay display = new ProgressDisplay(Terminal.error());
        RunSummary summary = new RunSummary(run);
        TrainEvent.Listener both = event -> {
            display.on(event);
            summary.on(event);
        };
        StopSignal stop = new StopSignal("stopping after this step, with a checkpoint (once more: at once)");
        boolean complete =
                new TrainingRun(config, run, both, display, new SaveSignal(), stop, Workers.alone(), profile).run();
        System.out.println(json ? summary.json() : summary.text());
        if (!complete) {
            List<String> command =
                    spec.commandLine().getParent().getParseResult().originalArgs();
            Terminal.error().print("to go on: " + Shell.command(command));
        }
        return (complete ? ExitCode.OK : ExitCode.PREEMPTED).code();
    }
}
