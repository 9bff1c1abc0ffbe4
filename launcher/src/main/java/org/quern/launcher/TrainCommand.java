package org.quern.launcher;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.config.RunConfig;
import org.quern.train.TrainEvent;
import org.quern.train.TrainingRun;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `quern train`: starts a run, or goes on with it.
@Command(
        name = "train",
        description = "Trains a model, or goes on from the newest checkpoint of its run.",
        footer = {
            "",
            "Ctrl-C or SIGTERM writes a checkpoint and ends with exit code 75; the same command goes on from there."
        })
final class TrainCommand implements Callable<Integer> {
    @Mixin
    private ConfigArguments arguments;

    @Option(names = "--run", paramLabel = "DIR", description = "The run's folder; by default runs/NAME.")
    private Optional<Path> run = Optional.empty();

    @Option(names = "--json", description = "Print the result as JSON on standard output.")
    private boolean json;

    @Override
    public Integer call() {
        RunConfig config = arguments.read();
        Path folder = run.orElseGet(() -> Path.of("runs", arguments.runName(config)));
        StopSignal stop = new StopSignal("stopping after this step, with a checkpoint (once more: at once)");
        Logs.alsoTo(folder.resolve("logs").resolve("train.log"));
        Result result = new Result();
        ProgressDisplay display = new ProgressDisplay(Terminal.error());
        boolean complete = new TrainingRun(
                        config,
                        folder,
                        event -> {
                            display.on(event);
                            result.on(event);
                        },
                        display,
                        stop)
                .run();
        if (json) {
            System.out.print(new String(Json.pretty(result.values), StandardCharsets.UTF_8));
        } else if (complete) {
            System.out.printf("""
                    The model is in %s
                    Its report:     %s
                    Let it write:   quern generate %s --prompt "..."
                    """, result.values.get("checkpoint"), folder.resolve("report.html"), folder);
        } else {
            System.out.println("Stopped with a checkpoint. The same command goes on from there.");
        }
        return (complete ? ExitCode.OK : ExitCode.PREEMPTED).code();
    }

    /// What a run came to.
    private static final class Result implements TrainEvent.Listener {
        final Map<String, Object> values = new LinkedHashMap<>();

        @Override
        public void on(TrainEvent event) {
            switch (event) {
                case TrainEvent.Started e -> values.put("run", e.run().toString());
                case TrainEvent.Step e -> {
                    values.put("step", e.step());
                    values.put("loss", e.loss());
                    values.put("tokens", e.tokens());
                }
                case TrainEvent.Evaluation e -> {
                    values.put("val_loss", e.loss());
                    values.put("val_bpb", Double.isNaN(e.bitsPerByte()) ? null : e.bitsPerByte());
                }
                case TrainEvent.CheckpointSaved e ->
                    values.put("checkpoint", e.folder().toString());
                case TrainEvent.Finished e -> {
                    values.put("step", e.step());
                    values.put("complete", e.complete());
                    values.put("seconds", e.seconds());
                }
                case TrainEvent.Sample _, TrainEvent.Spike _, TrainEvent.CheckpointFailed _ -> {}
            }
        }
    }
}
