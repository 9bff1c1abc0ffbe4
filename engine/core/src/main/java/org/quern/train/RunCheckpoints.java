package org.quern.train;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.CheckpointCommitter;
import org.quern.checkpoint.CheckpointFile;
import org.quern.checkpoint.Checkpoints;
import org.quern.checkpoint.NamedTensor;
import org.quern.checkpoint.SavePoint;
import org.quern.checkpoint.TensorFiles;
import org.quern.checkpoint.TensorSpec;
import org.quern.collective.CommunicatorException;
import org.quern.config.DataSection;
import org.quern.config.RunConfig;
import org.quern.data.Mixture;
import org.quern.executor.TensorStore;
import org.quern.interop.HuggingFaceFolder;
import org.quern.interop.ModelWeights;
import org.quern.model.Model;
import org.quern.model.Parameter;
import org.quern.tokenizer.Tokenizer;
import org.quern.train.Trainer.Progress;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The checkpoints of a training run: weights, config and tokenizer in Hugging Face's layout, the optimiser's
/// moments, and where the run was.
///
/// Training stands still while weights and moments are copied in memory; a thread of its own writes the copy.
/// There is one copy: a checkpoint that comes while the one before is being written waits for it. Each worker
/// copies and writes what it is to write, and reads what it needs, however many workers there were.
final class RunCheckpoints implements Trainer.CheckpointWriter, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RunCheckpoints.class);

    private static final int MOST_FAILURES = 3;

    /// What decides the order of samples, beside the data: whoever goes on from a checkpoint must have the same.
    ///
    /// @param mixture phases of the weights of several sources
    record Order(
            long seed,
            int globalBatch,
            int sequenceLength,
            boolean documentMask,
            Optional<List<Mixture.Phase>> mixture) {
        static Order of(RunConfig config) {
            return new Order(
                    config.run().seed(),
                    config.train().globalBatch(),
                    config.train().sequenceLength(),
                    config.data().documentMask(),
                    Optional.of(config.data()).filter(DataSection::isMixture).map(DataSection::phases));
        }

        /// The weights until a step: later phases may change.
        List<Mixture.Phase> mixtureUntil(long step) {
            return mixture.orElse(List.of()).stream()
                    .filter(phase -> phase.after() == 0 || phase.after() < step)
                    .toList();
        }
    }

    /// What `state.json` holds.
    ///
    /// @param data fingerprint of the token shards
    /// @param cut how batches were cut; absent in checkpoints of before
    record State(Progress progress, Order order, String data, Optional<RunPlan.Cut> cut) {}

    /// A checkpoint that is being written.
    private record UnderWay(long step, CompletableFuture<TrainEvent.CheckpointSaved> result) {}

    private final Path folder;
    private final RunConfig.Checkpoint config;
    private final int rank;
    private final CheckpointCommitter checkpoints;
    private final Order order;
    private final String data;
    private final RunPlan.Cut cut;
    private final Model model;
    private final Moments moments;
    private final TensorStore tensors;
    private final List<CheckpointFile> description;
    private final TensorFiles weightFiles;
    private final TensorFiles momentFiles;

    /// The parameters and the moments that this worker writes.
    private final List<Parameter> parametersToWrite;

    private final List<String> momentsToWrite;
    private final Snapshot snapshot;
    private final Optional<CheckpointUploads> uploads;
    private final Preparation progress;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("checkpoint").factory());

    private Optional<UnderWay> underWay = Optional.empty();
    private long writtenStep = -1;
    private long newestBegan = System.nanoTime();
    private int failures;

    /// @param data fingerprint of the token shards
    /// @param cut how batches are cut
    /// @param maxFileBytes size of a file, where its tensors let it be that small
    /// @param uploads told of each checkpoint, and ended with this
    /// @param progress of the uploads at the end of the run
    RunCheckpoints(
            Path folder,
            RunConfig config,
            String data,
            RunPlan.Cut cut,
            Model model,
            Moments moments,
            TensorStore tensors,
            Optional<Tokenizer> tokenizer,
            Workers workers,
            long maxFileBytes,
            Optional<CheckpointUploads> uploads,
            Preparation progress) {
        this.folder = folder;
        this.uploads = uploads;
        this.progress = progress;
        this.config = config.checkpoint();
        order = Order.of(config);
        this.data = data;
        this.cut = cut;
        this.model = model;
        this.moments = moments;
        this.tensors = tensors;
        rank = workers.rank();
        checkpoints = new CheckpointCommitter(
                folder,
                config.checkpoint().keep().orElse(Integer.MAX_VALUE),
                config.checkpoint().keepEvery().orElse(0L),
                workers.checkpoints());
        description = HuggingFaceFolder.files(model.config(), tokenizer);
        weightFiles = TensorFiles.shared(
                Checkpoint.MODEL, ModelWeights.specs(model.parameters()), maxFileBytes, workers.world());
        momentFiles = moments.files(maxFileBytes, workers.world());
        Set<TensorSpec> weightsToWrite = new HashSet<>(weightFiles.tensors(rank));
        parametersToWrite = model.parameters().stream()
                .filter(parameter ->
                        ModelWeights.specs(List.of(parameter)).stream().anyMatch(weightsToWrite::contains))
                .toList();
        momentsToWrite =
                momentFiles.tensors(rank).stream().map(TensorSpec::name).toList();
        snapshot = new Snapshot(
                tensors,
                Stream.concat(parametersToWrite.stream().map(Parameter::name), momentsToWrite.stream())
                        .toList());
    }

    /// Requires a config to have the order of samples of a checkpoint.
    static void requireSameOrder(Checkpoint checkpoint, Order now) {
        Order then = state(checkpoint).order();
        require(checkpoint, "run.seed", then.seed(), now.seed());
        require(checkpoint, "train.global_batch", then.globalBatch(), now.globalBatch());
        require(checkpoint, "train.sequence_length", then.sequenceLength(), now.sequenceLength());
        require(checkpoint, "data.document_mask", then.documentMask(), now.documentMask());
        require(
                checkpoint,
                "the weights of data.sources and what has begun of data.anneal",
                then.mixtureUntil(checkpoint.step()),
                now.mixtureUntil(checkpoint.step()));
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
            List<NamedTensor> saved = checkpoint.tensors(Checkpoint.OPTIMIZER, arena);
            if (isBf16(moments.all())
                    && !isBf16(saved.stream().map(NamedTensor::spec).toList())) {
                throw QuernException.data(
                        "optimizer.moments must stay float32, as in %s: got bfloat16 (set it back, or start a new run with --run)"
                                .formatted(checkpoint.folder()));
            }
            List<TensorSpec> mine = moments.at(rank);
            Set<String> ofOthers = moments.all().stream().map(TensorSpec::name).collect(Collectors.toSet());
            mine.forEach(moment -> ofOthers.remove(moment.name()));
            NamedTensor.copyAll(
                    checkpoint.folder() + ", " + Checkpoint.OPTIMIZER,
                    saved.stream()
                            .filter(tensor -> !ofOthers.contains(tensor.name()))
                            .toList(),
                    mine.stream()
                            .map(moment -> new NamedTensor(
                                    moment.name(), moment.dtype(), moment.shape(), tensors.host(moment.name())))
                            .toList());
            mine.forEach(moment -> tensors.push(moment.name()));
        }
        LOG.info("going on from {}", checkpoint.folder());
        writtenStep = checkpoint.step();
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

    /// Whether the newest checkpoint is older than the config allows.
    boolean isOverdue() {
        return config.minutes()
                .filter(minutes -> System.nanoTime() - newestBegan > minutes * 60e9)
                .isPresent();
    }

    @Override
    public void save(Progress progress, TrainEvent.Listener listener) {
        newestBegan = System.nanoTime();
        requireFew(await(listener));
        snapshot.take();
        double stall = (System.nanoTime() - newestBegan) / 1e9;
        SavePoint.COPIED.reached();
        List<CheckpointFile> files = files(progress);
        underWay = Optional.of(new UnderWay(
                progress.step(), CompletableFuture.supplyAsync(() -> write(progress.step(), files, stall), thread)));
    }

    /// What this worker writes.
    private List<CheckpointFile> files(Progress progress) {
        List<CheckpointFile> files = new ArrayList<>();
        if (rank == 0) {
            files.addAll(description);
            files.add(CheckpointFile.json(Checkpoint.STATE, new State(progress, order, data, Optional.of(cut))));
        }
        Map<TensorSpec, MemorySegment> weights = ModelWeights.views(parametersToWrite, snapshot::memory).stream()
                .collect(Collectors.toMap(NamedTensor::spec, NamedTensor::data));
        files.addAll(weightFiles.files(rank, weights::get));
        files.addAll(momentFiles.files(rank, state -> snapshot.memory(state.name())));
        return files;
    }

    private TrainEvent.CheckpointSaved write(long step, List<CheckpointFile> files, double stall) {
        long began = System.nanoTime();
        try {
            Checkpoint written = new Checkpoint(checkpoints.commit(step, files), step);
            double seconds = (System.nanoTime() - began) / 1e9;
            uploads.ifPresent(each -> each.written(step));
            return new TrainEvent.CheckpointSaved(step, written.folder(), written.bytes(), stall, seconds);
        } catch (CommunicatorException e) {
            throw new QuernException(ExitCode.RETRYABLE, e.getMessage(), e);
        }
    }

    @Override
    public void poll(TrainEvent.Listener listener) {
        if (underWay.filter(save -> save.result().isDone()).isPresent()) {
            requireFew(await(listener));
        }
        uploads.ifPresent(each -> each.poll(listener));
    }

    @Override
    public void finish(TrainEvent.Listener listener) {
        await(listener).ifPresent(failure -> {
            throw failure;
        });
        uploads.ifPresent(each -> each.finish(progress, listener));
    }

    @Override
    public long newestStep() {
        return underWay.map(UnderWay::step).orElse(writtenStep);
    }

    @Override
    public Optional<Path> newest(long before, TrainEvent.Listener listener) {
        await(listener);
        return Checkpoints.newestValid(folder, before).map(Checkpoint::folder);
    }

    /// Waits for the checkpoint under way, and tells what became of it.
    ///
    /// @return why it could not be written
    private Optional<QuernException> await(TrainEvent.Listener listener) {
        if (underWay.isEmpty()) {
            return Optional.empty();
        }
        UnderWay save = underWay.get();
        underWay = Optional.empty();
        try {
            TrainEvent.CheckpointSaved saved = save.result().join();
            writtenStep = save.step();
            failures = 0;
            listener.on(saved);
            return Optional.empty();
        } catch (CompletionException e) {
            if (e.getCause() instanceof QuernException failure && failure.exitCode() == ExitCode.IO) {
                failures++;
                listener.on(new TrainEvent.CheckpointFailed(save.step(), failure.getMessage()));
                return Optional.of(failure);
            }
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
    }

    /// Lets a failure pass unless there were too many.
    private void requireFew(Optional<QuernException> failure) {
        if (failure.isPresent() && failures >= MOST_FAILURES) {
            throw QuernException.io(
                    "%d checkpoints in a row failed, which is too many to go on; the last one".formatted(failures),
                    failure.get());
        }
    }

    /// Waits for the checkpoint under way, but not for its upload.
    @Override
    public void close() {
        thread.close();
        underWay.map(UnderWay::result)
                .filter(CompletableFuture::isCompletedExceptionally)
                .ifPresent(result -> LOG.warn("{}", result.exceptionNow().getMessage()));
        snapshot.close();
        uploads.ifPresent(CheckpointUploads::close);
    }

    private static boolean isBf16(List<TensorSpec> tensors) {
        return tensors.stream().anyMatch(tensor -> tensor.dtype() == NamedTensor.DType.BF16);
    }
}
