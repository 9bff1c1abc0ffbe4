package org.quern.train;

import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.CheckpointFile;
import org.quern.checkpoint.Checkpoints;
import org.quern.checkpoint.NamedTensor;
import org.quern.config.RunConfig;
import org.quern.executor.TensorStore;
import org.quern.interop.HuggingFaceFolder;
import org.quern.interop.ModelWeights;
import org.quern.model.Model;
import org.quern.tokenizer.Tokenizer;
import org.quern.train.Trainer.Progress;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The checkpoints of a training run: weights, config and tokenizer in Hugging Face's layout, the optimiser's
/// moments, and where the run was.
final class RunCheckpoints implements Trainer.CheckpointWriter {
    private static final Logger LOG = LoggerFactory.getLogger(RunCheckpoints.class);

    /// What decides the order of samples, beside the data: whoever goes on from a checkpoint must have the
    /// same.
    record Order(long seed, int globalBatch, int sequenceLength, boolean documentMask) {
        static Order of(RunConfig config) {
            return new Order(
                    config.run().seed(),
                    config.train().globalBatch(),
                    config.train().sequenceLength(),
                    config.data().documentMask());
        }
    }

    /// What `state.json` holds.
    ///
    /// @param data fingerprint of the token shards
    /// @param cut how batches were cut; absent in checkpoints of before
    record State(Progress progress, Order order, String data, Optional<RunPlan.Cut> cut) {}

    private final boolean isFirst;
    private final Path folder;
    private final Checkpoints checkpoints;
    private final Order order;
    private final String data;
    private final RunPlan.Cut cut;
    private final Model model;
    private final List<String> moments;
    private final TensorStore tensors;
    private final List<CheckpointFile> description;

    /// @param data fingerprint of the token shards
    /// @param moments the optimiser's states
    RunCheckpoints(
            boolean isFirst,
            Path folder,
            RunConfig config,
            String data,
            RunPlan.Cut cut,
            Model model,
            List<String> moments,
            TensorStore tensors,
            Optional<Tokenizer> tokenizer) {
        this.isFirst = isFirst;
        this.folder = folder;
        order = Order.of(config);
        this.data = data;
        this.cut = cut;
        this.model = model;
        this.moments = moments;
        this.tensors = tensors;
        checkpoints = new Checkpoints(
                folder,
                config.checkpoint().keep().orElse(Integer.MAX_VALUE),
                config.checkpoint().keepEvery().orElse(0L));
        description = HuggingFaceFolder.files(model.config(), tokenizer);
    }

    /// Requires a config to have the order of samples of a checkpoint.
    static void requireSameOrder(Checkpoint checkpoint, Order now) {
        Order then = state(checkpoint).order();
        require(checkpoint, "run.seed", then.seed(), now.seed());
        require(checkpoint, "train.global_batch", then.globalBatch(), now.globalBatch());
        require(checkpoint, "train.sequence_length", then.sequenceLength(), now.sequenceLength());
        require(checkpoint, "data.document_mask", then.documentMask(), now.documentMask());
    }

    /// How batches were cut before a checkpoint.
    static Optional<RunPlan.Cut> cut(Checkpoint checkpoint) {
        return state(checkpoint).cut();
    }

    /// Puts a checkpoint on the device.
    ///
    /// @return where the run is
    Progress restore(Checkpoint checkpoint) {
        State state = state(checkpoint);
        require(checkpoint, "the training data's hash", state.data(), data);
        try (Arena arena = Arena.ofConfined()) {
            ModelWeights.push(
                    model, tensors, checkpoint.folder().toString(), checkpoint.tensors(Checkpoint.MODEL, arena));
            NamedTensor.copyAll(
                    checkpoint.folder().resolve(Checkpoint.OPTIMIZER).toString(),
                    checkpoint.tensors(Checkpoint.OPTIMIZER, arena),
                    momentViews());
            moments.forEach(tensors::push);
        }
        LOG.info("going on from {}", checkpoint.folder());
        return state.progress();
    }

    private static State state(Checkpoint checkpoint) {
        return checkpoint.json(Checkpoint.STATE, State.class);
    }

    private static void require(Checkpoint checkpoint, String what, Object then, Object now) {
        if (!Objects.equals(then, now)) {
            throw QuernException.data(
                    "%s must stay what it was in %s, since the order of samples depends on it: it was %s, got %s (set it back, or start a new run with --run)"
                            .formatted(what, checkpoint.folder(), then, now));
        }
    }

    @Override
    public TrainEvent.CheckpointSaved write(Progress progress) {
        long began = System.nanoTime();
        if (!isFirst) {
            return new TrainEvent.CheckpointSaved(progress.step(), folder, 0, 0);
        }
        moments.forEach(tensors::pull);
        List<CheckpointFile> files = new ArrayList<>(description);
        files.add(new CheckpointFile.Tensors(Checkpoint.MODEL, ModelWeights.pull(model, tensors)));
        files.add(new CheckpointFile.Tensors(Checkpoint.OPTIMIZER, momentViews()));
        files.add(CheckpointFile.json(Checkpoint.STATE, new State(progress, order, data, Optional.of(cut))));
        Path written = checkpoints.commit(progress.step(), files);
        long bytes = files.stream().mapToLong(CheckpointFile::bytes).sum();
        return new TrainEvent.CheckpointSaved(progress.step(), written, bytes, (System.nanoTime() - began) / 1e9);
    }

    @Override
    public Optional<Path> newest(long before) {
        return Checkpoints.newestValid(folder, before).map(Checkpoint::folder);
    }

    private List<NamedTensor> momentViews() {
        return moments.stream()
                .map(name -> NamedTensor.floats(
                        name,
                        tensors.host(name),
                        tensors.value(name).shape().dims().stream()
                                .mapToLong(Integer::longValue)
                                .toArray()))
                .toList();
    }
}
