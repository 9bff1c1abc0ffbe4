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

    /// What decides the order of samples: whoever goes on from a checkpoint must have the same.
    ///
    /// @param data fingerprint of the token shards
    record Order(long seed, String data, int globalBatch, int sequenceLength, boolean documentMask) {}

    /// What `state.json` holds.
    record State(Progress progress, Order order) {}

    private final Path folder;
    private final Checkpoints checkpoints;
    private final Order order;
    private final Model model;
    private final List<String> moments;
    private final TensorStore tensors;
    private final List<CheckpointFile> description;

    /// @param moments the optimiser's states
    RunCheckpoints(
            Path folder,
            RunConfig.Checkpoint config,
            Order order,
            Model model,
            List<String> moments,
            TensorStore tensors,
            Optional<Tokenizer> tokenizer) {
        this.folder = folder;
        this.order = order;
        this.model = model;
        this.moments = moments;
        this.tensors = tensors;
        checkpoints = new Checkpoints(
                folder,
                config.keep().orElse(Integer.MAX_VALUE),
                config.keepEvery().orElse(0L));
        description = HuggingFaceFolder.files(model.config(), tokenizer);
    }

    /// Puts the newest valid checkpoint on the device.
    ///
    /// @return where the run is; empty if there is no checkpoint
    Optional<Progress> restore() {
        return Checkpoints.newestValid(folder).map(this::restore);
    }

    private Progress restore(Checkpoint checkpoint) {
        State state = checkpoint.json(Checkpoint.STATE, State.class);
        require(checkpoint, "run.seed", state.order().seed(), order.seed());
        require(checkpoint, "train.global_batch", state.order().globalBatch(), order.globalBatch());
        require(checkpoint, "train.sequence_length", state.order().sequenceLength(), order.sequenceLength());
        require(checkpoint, "data.document_mask", state.order().documentMask(), order.documentMask());
        require(checkpoint, "the training data's hash", state.order().data(), order.data());
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
        moments.forEach(tensors::pull);
        List<CheckpointFile> files = new ArrayList<>(description);
        files.add(new CheckpointFile.Tensors(Checkpoint.MODEL, ModelWeights.pull(model, tensors)));
        files.add(new CheckpointFile.Tensors(Checkpoint.OPTIMIZER, momentViews()));
        files.add(CheckpointFile.json(Checkpoint.STATE, new State(progress, order)));
        Path written = checkpoints.commit(progress.step(), files);
        long bytes = files.stream().mapToLong(CheckpointFile::bytes).sum();
        return new TrainEvent.CheckpointSaved(progress.step(), written, bytes, (System.nanoTime() - began) / 1e9);
    }

    @Override
    public Optional<Path> newest() {
        return Checkpoints.newestValid(folder).map(Checkpoint::folder);
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
