package org.quern.train;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// What happens in a training run, in order: a progress bar, the log, `metrics.jsonl`, TensorBoard and the
/// report are listeners of these.
public sealed interface TrainEvent {
    /// The run is about to take its first step.
    ///
    /// @param firstStep steps already done, 0 in a new run
    /// @param steps steps in all
    /// @param tokensPerStep tokens of a global batch
    record Started(Path run, long firstStep, long steps, long tokensPerStep, String plan) implements TrainEvent {}

    /// An optimiser step.
    ///
    /// @param step steps done, this one included
    /// @param loss mean cross-entropy of the global batch in nats a token
    /// @param lr learning rate of the step
    /// @param gradNorm norm of the whole gradient before clipping
    /// @param tokens tokens trained on since the run began
    /// @param seconds seconds of training since the run began, over all its starts
    /// @param skipped whether the spike guard left the weights alone
    record Step(
            long step,
            double loss,
            double lr,
            double gradNorm,
            long tokens,
            double tokensPerSecond,
            double seconds,
            boolean skipped)
            implements TrainEvent {}

    /// An evaluation on the validation split.
    ///
    /// @param loss nats a token; of a mixture, weighted by what the whole run takes of each source
    /// @param bitsPerByte bits a byte of text; NaN where nobody knows the bytes of a token
    /// @param sources the same for each source of a mixture
    record Evaluation(long step, double loss, double bitsPerByte, double seconds, List<Source> sources)
            implements TrainEvent {

        /// A source of a mixture.
        public record Source(String name, double loss, double bitsPerByte) {}
    }

    /// Text written by the model.
    ///
    /// @param text what follows the prompt
    record Sample(long step, String prompt, String text) implements TrainEvent {}

    /// The spike guard skipped a step: why, and the documents of its batch.
    record Spike(long step, double loss, double gradNorm, String reason, List<String> documents)
            implements TrainEvent {}

    /// A checkpoint is on disk.
    ///
    /// @param stallSeconds how long training stood still for it: it waited for the checkpoint before and for a copy
    /// @param writeSeconds how long it took to write meanwhile
    record CheckpointSaved(long step, Path folder, long bytes, double stallSeconds, double writeSeconds)
            implements TrainEvent {}

    /// A checkpoint could not be written; the run goes on.
    record CheckpointFailed(long step, String reason) implements TrainEvent {}

    /// A checkpoint is in the object store.
    ///
    /// @param place such as `s3://bucket/run/step-00001000`
    record CheckpointUploaded(long step, String place, long bytes, double seconds) implements TrainEvent {}

    /// A checkpoint could not be copied into the object store; the run goes on, and tries again with the next.
    record CheckpointUploadFailed(long step, String reason) implements TrainEvent {}

    /// Operations were timed.
    ///
    /// @param table what each kind of them took, for people
    /// @param folder where that is, and the trace; empty if they could not be written
    record Profiled(long step, String table, Optional<Path> folder) implements TrainEvent {}

    /// The run has ended.
    ///
    /// @param complete whether all steps were done; otherwise it was stopped on request
    record Finished(long step, boolean complete, double seconds) implements TrainEvent {}

    /// Receives the events of a run, on the training thread.
    interface Listener {
        void on(TrainEvent event);
    }
}
