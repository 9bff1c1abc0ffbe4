package org.quern.train;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.stream.Stream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.CheckpointFile;
import org.quern.checkpoint.Checkpoints;
import org.quern.checkpoint.NamedTensor;
import org.quern.config.RunConfig;
import org.quern.executor.TensorStore;
import org.quern.graph.Value;
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
/// Training stands still while weights and moments are copied in memory; a thread of its own writes the copy. There is
/// one copy: a checkpoint that comes while the one before is being written waits for it.
final class RunCheckpoints implements Trainer.CheckpointWriter, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RunCheckpoints.class);

    private static final int MOST_FAILURES = 3;

    /// What decides the order of samples, beside the data: whoever goes on from a checkpoint must have the same.
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

    /// A checkpoint that is being written.
    private record UnderWay(long step, CompletableFuture<TrainEvent.CheckpointSaved> result) {}

    private final boolean isFirst;
    private final Path folder;
    private final RunConfig.Checkpoint config;
    private final Checkpoints checkpoints;
    private final Order order;
    private final String data;
    private final RunPlan.Cut cut;
    private final Model model;
    private final List<String> moments;
    private final TensorStore tensors;
    private final List<CheckpointFile> description;
    private final Snapshot snapshot;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("checkpoint").factory());

    private Optional<UnderWay> underWay = Optional.empty();
    private long writtenStep = -1;
    private long newestBegan = System.nanoTime();
    private int failures;

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
        this.config = config.checkpoint();
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
        snapshot = new Snapshot(
                tensors,
                Stream.concat(model.parameters().stream().map(Parameter::name), moments.stream())
                        .toList());
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
            Path file = checkpoint.folder().resolve(Checkpoint.OPTIMIZER);
            List<NamedTensor> saved = checkpoint.tensors(Checkpoint.OPTIMIZER, arena);
            List<NamedTensor> views = moments(tensors::host);
            if (isBf16(views) && !isBf16(saved)) {
                throw QuernException.data(
                        "optimizer.moments must stay float32, as in %s: got bfloat16 (set it back, or start a new run with --run)"
                                .formatted(file));
            }
            NamedTensor.copyAll(file.toString(), saved, views);
            moments.forEach(tensors::push);
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
        if (!isFirst) {
            writtenStep = progress.step();
            return;
        }
        requireFew(await(listener));
        snapshot.take();
        double stall = (System.nanoTime() - newestBegan) / 1e9;
        List<CheckpointFile> files = new ArrayList<>(description);
        files.add(new CheckpointFile.Tensors(Checkpoint.MODEL, ModelWeights.views(model, snapshot::memory)));
        files.add(new CheckpointFile.Tensors(Checkpoint.OPTIMIZER, moments(snapshot::memory)));
        files.add(CheckpointFile.json(Checkpoint.STATE, new State(progress, order, data, Optional.of(cut))));
        underWay = Optional.of(new UnderWay(
                progress.step(), CompletableFuture.supplyAsync(() -> write(progress.step(), files, stall), thread)));
    }

    private TrainEvent.CheckpointSaved write(long step, List<CheckpointFile> files, double stall) {
        long began = System.nanoTime();
        Path written = checkpoints.commit(step, files);
        long bytes = files.stream().mapToLong(CheckpointFile::bytes).sum();
        return new TrainEvent.CheckpointSaved(step, written, bytes, stall, (System.nanoTime() - began) / 1e9);
    }

    @Override
    public void poll(TrainEvent.Listener listener) {
        if (underWay.filter(save -> save.result().isDone()).isPresent()) {
            requireFew(await(listener));
        }
    }

    @Override
    public void finish(TrainEvent.Listener listener) {
        await(listener).ifPresent(failure -> {
            throw failure;
        });
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
                    "%d checkpoints in a row failed, which is too many to go on; the last one: %s"
                            .formatted(failures, failure.get().getMessage()),
                    failure.get());
        }
    }

    /// Waits for the checkpoint under way.
    @Override
    public void close() {
        thread.close();
        underWay.map(UnderWay::result)
                .filter(CompletableFuture::isCompletedExceptionally)
                .ifPresent(result -> LOG.warn("{}", result.exceptionNow().getMessage()));
        snapshot.close();
    }

    private List<NamedTensor> moments(Function<String, MemorySegment> memory) {
        return moments.stream()
                .map(name -> view(tensors.value(name), memory.apply(name)))
                .toList();
    }

    private static boolean isBf16(List<NamedTensor> tensors) {
        return tensors.stream().anyMatch(tensor -> tensor.dtype() == NamedTensor.DType.BF16);
    }

    private static NamedTensor view(Value value, MemorySegment memory) {
        long[] shape =
                value.shape().dims().stream().mapToLong(Integer::longValue).toArray();
        return switch (value.type()) {
            case F32 -> NamedTensor.floats(value.name(), memory, shape);
            case BF16 -> NamedTensor.bf16(value.name(), memory, shape);
            case I32 -> throw new IllegalStateException(value + " is no moment");
        };
    }
}
