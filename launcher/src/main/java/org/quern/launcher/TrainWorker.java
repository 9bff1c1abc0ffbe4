package org.quern.launcher;

import java.nio.file.Path;
import java.util.function.Function;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.collective.CommunicatorException;
import org.quern.config.RunConfig;
import org.quern.launcher.cluster.Assignment;
import org.quern.launcher.cluster.CallCount;
import org.quern.launcher.cluster.Communicators;
import org.quern.launcher.cluster.JobToken;
import org.quern.launcher.cluster.WorkerLink;
import org.quern.train.Preparation;
import org.quern.train.TrainEvent;
import org.quern.train.TrainingRun;
import org.quern.train.Workers;

/// `quern train` as one of several workers that a launcher has started.
record TrainWorker(ConfigArguments arguments, boolean profile) {
    /// @return the exit code
    int run(Assignment first, Function<RunConfig, Path> folder) {
        CallCount calls = new CallCount();
        WorkerLink link = WorkerLink.open(calls);
        StopSignal stop = StopSignal.ofWorker();
        SaveSignal save = new SaveSignal();
        RunConfig config = arguments.forWorker(arguments.read(), first.localRank(), first.localWorld());
        Path run = folder.apply(config);
        Assignment worker = first;
        if (first.rehearses()) {
            rehearse(config, first, run);
            worker = link.standBy();
        }
        Logs.alsoTo(run.resolve("logs/attempt-%d/rank-%d.log".formatted(worker.epoch(), worker.rank())));
        boolean isFirst = worker.rank() == 0;
        if (!isFirst) {
            Logs.onlyWarnings();
        }
        Preparation display = isFirst ? new ProgressDisplay(Terminal.error()) : (_, _, _) -> {};
        TrainEvent.Listener events = isFirst ? link::tell : _ -> link.progress();
        boolean nccl = config.workers().needNccl(config.run().device(), worker.world());
        try (Workers workers = Communicators.join(worker, JobToken.find(System.getenv(), run), calls, nccl)) {
            boolean complete = new TrainingRun(
                            config,
                            run,
                            events,
                            (what, done, total) -> {
                                link.progress();
                                display.update(what, done, total);
                            },
                            () -> save.getAsBoolean() | link.save(),
                            link.stop(stop),
                            workers,
                            profile)
                    .run();
            return link.end(complete).code();
        } catch (CommunicatorException e) {
            throw new QuernException(ExitCode.RETRYABLE, e.getMessage(), e);
        }
    }

    private static void rehearse(RunConfig config, Assignment place, Path run) {
        Path folder = run.resolve("logs/standby-%d/rehearsal".formatted(place.node()));
        try (Workers workers = Communicators.join(place, JobToken.find(System.getenv(), run), new CallCount(), false)) {
            new Rehearsal(config, folder, workers).run();
        }
    }
}
