package org.quern.train;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.data.Batches;
import org.quern.optimizer.LearningRate;
import org.quern.train.profile.Profiler;

/// The training loop.
///
/// Step s trains on samples [s G, (s + 1) G) of the run's order, G being the global batch, and everything else
/// that changes the weights is in `Progress`: a run that goes on from a checkpoint ends with the bits of one
/// that was never interrupted. A checkpoint is taken before the evaluation and the samples of its step, which
/// are made again if the run was killed before they were.
public final class Trainer {

    /// Where a run is.
    ///
    /// @param step optimiser steps done
    /// @param updates of these, the ones that changed the weights
    /// @param tokens tokens trained on
    /// @param seconds seconds spent, over all starts of the run
    public record Progress(long step, long updates, long tokens, double seconds, SpikeGuard.State spikes) {
        public static final Progress START = new Progress(0, 0, 0, 0, SpikeGuard.State.EMPTY);
    }

    /// The length of a run, and every how many steps something is done; 0: never. What is done at all is also
    /// done after the last step.
    public record Plan(long steps, int globalBatch, long evaluateEvery, long sampleEvery, long checkpointEvery) {}

    /// Writes checkpoints in the background, one at a time, and tells what became of them. Some on the way may fail;
    /// too many in a row make `save` and `poll` throw.
    public interface CheckpointWriter {
        /// Begins a checkpoint of what the device has now, when the one before is done.
        void save(Progress progress, TrainEvent.Listener listener);

        /// Tells about a checkpoint that is done by now.
        void poll(TrainEvent.Listener listener);

        /// Waits for the checkpoint under way.
        ///
        /// @throws QuernException if it could not be written; the ones before are still there
        void finish(TrainEvent.Listener listener);

        /// The step of the newest checkpoint, written or under way; -1 if there is none.
        long newestStep();

        /// The newest checkpoint before a step, if there is one that is whole; waits for the one under way.
        Optional<Path> newest(long before, TrainEvent.Listener listener);
    }

    /// Lets the model write.
    public interface SampleWriter {
        /// @param written how many samples of the step were written before
        /// @return whether none is missing; otherwise it was stopped
        boolean write(long step, int written, BooleanSupplier stop, TrainEvent.Listener listener);
    }

    /// What was made at a step after its update: a run that goes on from there makes the rest.
    public record Made(boolean evaluation, int samples) {
        static final Made NOTHING = new Made(false, 0);
    }

    private final Plan plan;
    private final TrainingStep step;
    private final Batches batches;
    private final LearningRate learningRate;
    private final double peakLearningRate;
    private final Optional<SpikeGuard> spikeGuard;
    private final Optional<Evaluation> evaluation;
    private final Optional<SampleWriter> samples;
    private final CheckpointWriter checkpoints;
    private final Optional<Profiler> profiler;
    private final TrainEvent.Listener listener;
    private final BooleanSupplier saveNow;
    private final BooleanSupplier stop;

    private Progress progress;
    private long startNanos;
    private double secondsBefore;

    /// @param saveNow whether to write a checkpoint after the step that was just done; asked after each step
    /// @param stop whether to stop after the step that is under way
    public Trainer(
            Plan plan,
            TrainingStep step,
            Batches batches,
            LearningRate learningRate,
            double peakLearningRate,
            Optional<SpikeGuard> spikeGuard,
            Optional<Evaluation> evaluation,
            Optional<SampleWriter> samples,
            CheckpointWriter checkpoints,
            Optional<Profiler> profiler,
            TrainEvent.Listener listener,
            BooleanSupplier saveNow,
            BooleanSupplier stop) {
        this.plan = plan;
        this.step = step;
        this.batches = batches;
        this.learningRate = learningRate;
        this.peakLearningRate = peakLearningRate;
        this.spikeGuard = spikeGuard;
        this.evaluation = evaluation;
        this.samples = samples;
        this.checkpoints = checkpoints;
        this.profiler = profiler;
        this.listener = listener;
        this.saveNow = saveNow;
        this.stop = stop;
    }

    /// Trains until the last step, or until asked to stop; a checkpoint is on disk either way.
    ///
    /// @param from where the run is; its weights and moments are on the device
    /// @param made what is there of the evaluation and the samples of `from`
    /// @return whether everything is done
    /// @throws QuernException if the loss or the gradient is no number any more, or the last checkpoint could
    ///     not be written
    public boolean run(Progress from, Made made) {
        progress = from;
        startNanos = System.nanoTime();
        secondsBefore = from.seconds();
        boolean finished = from.step() == 0 || evaluateAndSample(made);
        while (progress.step() < plan.steps() && !stop.getAsBoolean()) {
            profiler.ifPresentOrElse(profiler -> profiler.around(this::oneStep), this::oneStep);
            checkpoints.poll(listener);
            boolean asked = saveNow.getAsBoolean();
            if (asked || isDue(plan.checkpointEvery()) || progress.step() == plan.steps()) {
                save();
            }
            finished = evaluateAndSample(Made.NOTHING);
        }
        if (checkpoints.newestStep() != progress.step()) {
            save();
        }
        profiler.ifPresent(Profiler::finish);
        checkpoints.finish(listener);
        boolean complete = finished && progress.step() >= plan.steps();
        listener.on(new TrainEvent.Finished(progress.step(), complete, seconds()));
        return complete;
    }

    private void oneStep() {
        long began = System.nanoTime();
        long index = progress.step();
        step.gradient(batches, index * plan.globalBatch());
        double gradNorm = step.gradNorm();
        double loss = step.loss();
        if (!Double.isFinite(loss) || !Double.isFinite(gradNorm)) {
            throw notFinite(loss, gradNorm);
        }
        Optional<String> spike = spikeGuard.flatMap(guard -> guard.check(loss, gradNorm));
        double fraction = learningRate.fraction(index);
        if (spike.isEmpty()) {
            step.update(progress.updates(), fraction);
        } else {
            listener.on(new TrainEvent.Spike(index + 1, loss, gradNorm, spike.get(), documents()));
        }
        progress = new Progress(
                index + 1,
                progress.updates() + (spike.isEmpty() ? 1 : 0),
                progress.tokens() + step.tokens(),
                seconds(),
                spikeGuard.map(SpikeGuard::state).orElse(SpikeGuard.State.EMPTY));
        listener.on(new TrainEvent.Step(
                progress.step(),
                loss,
                fraction * peakLearningRate,
                gradNorm,
                progress.tokens(),
                step.tokens() / ((System.nanoTime() - began) / 1e9),
                progress.seconds(),
                spike.isPresent()));
    }

    /// @return whether nothing is missing; otherwise it was stopped
    private boolean evaluateAndSample(Made made) {
        boolean complete = true;
        if (evaluation.isPresent() && isDue(plan.evaluateEvery()) && !made.evaluation()) {
            Optional<Map<String, Evaluation.Result>> results = evaluation.get().run(stop);
            results.ifPresent(found -> tell(found, evaluation.get().mixed(found)));
            complete = results.isPresent();
        }
        if (samples.isPresent() && isDue(plan.sampleEvery())) {
            complete &= samples.get().write(progress.step(), made.samples(), stop, listener);
        }
        return complete;
    }

    private void tell(Map<String, Evaluation.Result> bySource, Evaluation.Result all) {
        List<TrainEvent.Evaluation.Source> sources = bySource.entrySet().stream()
                .filter(source -> !source.getKey().isEmpty())
                .map(source -> new TrainEvent.Evaluation.Source(
                        source.getKey(),
                        source.getValue().loss(),
                        source.getValue().bitsPerByte()))
                .toList();
        listener.on(new TrainEvent.Evaluation(progress.step(), all.loss(), all.bitsPerByte(), seconds(), sources));
    }

    private boolean isDue(long every) {
        return every > 0 && (progress.step() % every == 0 || progress.step() == plan.steps());
    }

    private void save() {
        progress = new Progress(progress.step(), progress.updates(), progress.tokens(), seconds(), progress.spikes());
        checkpoints.save(progress, listener);
    }

    private double seconds() {
        return secondsBefore + (System.nanoTime() - startNanos) / 1e9;
    }

    /// The documents of the current step's batch.
    private List<String> documents() {
        return batches.documents(progress.step() * plan.globalBatch(), plan.globalBatch());
    }

    private QuernException notFinite(double loss, double gradNorm) {
        String newest = checkpoints
                .newest(progress.step(), listener)
                .map(folder -> "The last good checkpoint is " + folder + ".")
                .orElse("There is no good checkpoint.");
        String bad = checkpoints.newestStep() == progress.step()
                ? " That of step %d has these weights: remove its folder.".formatted(progress.step())
                : "";
        return new QuernException(ExitCode.DO_NOT_RESTART, """
                step %d: the loss and the norm of its gradient must be finite: got %s and %s. The weights were left alone.
                %s%s Going on from there comes to this step again: lower optimizer.lr, lengthen schedule.warmup_steps, \
                or look at the documents of this batch:
                  %s""".formatted(
                        progress.step() + 1, loss, gradNorm, newest, bad, String.join("\n  ", documents())));
    }
}
