package org.quern.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.IntUnaryOperator;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.Checkpoints;
import org.quern.checkpoint.StoredCheckpoints;
import org.quern.checkpoint.TensorFiles;
import org.quern.config.ConfigWriter;
import org.quern.config.RunConfig;
import org.quern.data.Batches;
import org.quern.data.Mixture;
import org.quern.data.SampleOrder;
import org.quern.data.TokenShards;
import org.quern.data.TokenizedCorpus;
import org.quern.executor.Devices;
import org.quern.executor.Executor;
import org.quern.gpu.GpuFault;
import org.quern.model.Initialization;
import org.quern.model.Model;
import org.quern.model.ModelConfig;
import org.quern.optimizer.OptimizerSettings;
import org.quern.store.ObjectStore;
import org.quern.store.StorePlace;
import org.quern.tokenizer.Tokenizer;
import org.quern.train.Trainer.Progress;
import org.quern.train.metrics.MetricsFile;
import org.quern.train.metrics.Provenance;
import org.quern.train.metrics.Report;
import org.quern.train.metrics.TensorBoardWriter;
import org.quern.train.profile.Profiler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A training run in its folder: starts it, or goes on from its newest checkpoint.
public final class TrainingRun {
    private static final Logger LOG = LoggerFactory.getLogger(TrainingRun.class);

    private static final String CHECKPOINTS = "checkpoints";

    private final RunConfig config;
    private final Path folder;
    private final TrainEvent.Listener listener;
    private final Preparation preparation;
    private final BooleanSupplier saveNow;
    private final BooleanSupplier stopHere;
    private final BooleanSupplier stopAnywhere;
    private final Workers workers;
    private final boolean profile;
    private final Map<String, String> environment;

    /// @param listener of the events of the run, beside the files that the first worker writes
    /// @param saveNow whether to write a checkpoint after the step that was just done; asked after each step
    /// @param stop whether to stop after the step that is under way
    /// @param workers who run it; their folder is the same
    /// @param profile whether the first of them times the operations of a few steps
    public TrainingRun(
            RunConfig config,
            Path folder,
            TrainEvent.Listener listener,
            Preparation preparation,
            BooleanSupplier saveNow,
            BooleanSupplier stop,
            Workers workers,
            boolean profile) {
        this(config, folder, listener, preparation, saveNow, stop, workers, profile, System.getenv());
    }

    /// The same.
    ///
    /// @param environment variables with the keys of the object store
    TrainingRun(
            RunConfig config,
            Path folder,
            TrainEvent.Listener listener,
            Preparation preparation,
            BooleanSupplier saveNow,
            BooleanSupplier stop,
            Workers workers,
            boolean profile,
            Map<String, String> environment) {
        this.config = config;
        this.environment = environment;
        this.folder = folder;
        this.listener = listener;
        this.preparation = preparation;
        this.saveNow = saveNow;
        stopHere = stop;
        stopAnywhere = () -> workers.any(stop.getAsBoolean());
        this.workers = workers;
        this.profile = profile;
    }

    /// Trains until the last step or until asked to stop. If it fails, the other workers fail too.
    ///
    /// @return whether all steps are done
    public boolean run() {
        RunConfig.Kernels kernels = config.kernels();
        return run(() -> Devices.open(config.run().device(), threads(), kernels.provider(), kernels.programmatic()));
    }

    /// Trains on a device of the caller's choice, which is closed at the end.
    public boolean run(Supplier<Executor> device) {
        return failingTogether(() -> runTogether(device));
    }

    private boolean failingTogether(BooleanSupplier work) {
        try {
            return work.getAsBoolean();
        } catch (GpuFault e) {
            QuernException failure = new QuernException(ExitCode.RETRYABLE, explain(e), e);
            workers.abort("worker %d failed: %s".formatted(workers.rank(), failure.getMessage()));
            throw failure;
        } catch (RuntimeException | Error e) {
            workers.abort("worker %d failed: %s".formatted(workers.rank(), e.getMessage()));
            throw e;
        }
    }

    /// What failed, and what to do.
    private String explain(GpuFault fault) {
        String checkpoint = Checkpoints.newestValid(folder.resolve(CHECKPOINTS))
                .map(newest -> "The same command goes on from " + newest.folder() + ".")
                .orElse("There is no checkpoint yet: the same command begins again.");
        return switch (fault.kind()) {
            case OUT_OF_MEMORY ->
                """
                there is no memory for %s: %s
                The run was planned to fit, so something else takes memory of the GPU: nvidia-smi shows what. %s \
                If nothing else can end, take less with a smaller train.micro_batch or train.recompute=block, or \
                another GPU with run.device=cuda:N.""".formatted(fault.work().orElse("the host's copies"), fault.getMessage(), checkpoint);
            case FAILED ->
                """
                %s failed: %s
                %s First each operation runs by itself, so that one that fails again is named. If it does, \
                quern kernels check says whether this GPU computes right; run.device=cuda:N takes another.""".formatted(
                        fault.work().orElse("the GPU does not say which operation"), fault.getMessage(), checkpoint);
        };
    }

    private int threads() {
        return config.run().threads().orElse(Runtime.getRuntime().availableProcessors());
    }

    private boolean runTogether(Supplier<Executor> device) {
        createFolder();
        Optional<StorePlace> upload =
                workers.isFirst() ? config.checkpoint().upload().map(StorePlace::parse) : Optional.empty();
        if (upload.isEmpty()) {
            return runTogether(device, Optional.empty());
        }
        try (ObjectStore store = ObjectStore.open(upload.get(), environment)) {
            store.requireWritable();
            StoredCheckpoints stored = new StoredCheckpoints(store);
            stored.removeLeftovers();
            return runTogether(device, Optional.of(stored));
        }
    }

    private boolean runTogether(Supplier<Executor> device, Optional<StoredCheckpoints> stored) {
        Optional<Checkpoint> newest = newestCheckpoint(stored);
        newest.ifPresent(checkpoint -> RunCheckpoints.requireSameOrder(checkpoint, RunCheckpoints.Order.of(config)));
        try (Executor executor = device.get()) {
            RunPlan.of(config, Device.of(executor, workers.onThisMachine()), workers.world())
                    .requireFit();
            RunData data = workers.firstBefore(() -> RunData.open(config, folder, threads(), preparation));
            try (Workers.Connection _ = workers.connect(executor.hardware())) {
                // Whoever fails tells the others before it takes leave, which waits for them.
                return failingTogether(() -> run(newest, data, executor, stored));
            }
        }
    }

    /// The checkpoint to go on from, the same for all workers. The first compares all its bytes.
    private Optional<Checkpoint> newestCheckpoint(Optional<StoredCheckpoints> stored) {
        Path checkpoints = folder.resolve(CHECKPOINTS);
        Optional<Checkpoint> mine = workers.isFirst() ? newestCheckpoint(checkpoints, stored) : Optional.empty();
        long step = (long) workers.first(mine.map(Checkpoint::step).orElse(-1L));
        return workers.isFirst() || step < 0
                ? mine
                : Optional.of(Checkpoint.glance(Checkpoints.folder(checkpoints, step)));
    }

    /// The newest of the folder, unless the store has a newer one, which is copied into the folder.
    private Optional<Checkpoint> newestCheckpoint(Path checkpoints, Optional<StoredCheckpoints> stored) {
        if (stored.isEmpty()) {
            return Checkpoints.recover(checkpoints);
        }
        Optional<Checkpoint> here = Optional.empty();
        Optional<QuernException> damage = Optional.empty();
        try {
            here = Checkpoints.recover(checkpoints);
        } catch (QuernException e) {
            damage = Optional.of(e);
        }
        long step = here.map(Checkpoint::step).orElse(-1L);
        Optional<Checkpoint> fetched = stored.get()
                .fetchNewest(
                        step,
                        checkpoints,
                        (found, bytes) -> preparation.update("fetching " + found.place(), bytes, found.bytes()));
        if (fetched.isEmpty() && damage.isPresent()) {
            throw damage.get();
        }
        return fetched.isPresent() ? fetched : here;
    }

    /// How the batches are cut: as before, if that is possible and not said otherwise.
    private RunPlan plan(Model model, Optional<Checkpoint> newest, Device device) {
        Optional<RunPlan.Cut> before = newest.flatMap(RunCheckpoints::cut)
                .filter(cut -> config.workers().shares().orElse(cut.shares()) == cut.shares()
                        && config.train().microBatch().orElse(cut.microBatch()) == cut.microBatch()
                        && cut.shares() % workers.world() == 0);
        if (before.isPresent()) {
            RunPlan plan = RunPlan.of(config, model, device, workers.world(), before);
            if (plan.fits()) {
                return plan;
            }
        }
        RunPlan plan = RunPlan.of(config, model, device, workers.world(), Optional.empty());
        newest.flatMap(RunCheckpoints::cut)
                .filter(cut -> !cut.equals(plan.cut()))
                .ifPresent(cut -> LOG.warn(
                        "a batch was {} shares with micro-batches of {}, and is {} with {} from here: the order of"
                                + " samples is the same, the last bits of the weights will not be",
                        cut.shares(),
                        cut.microBatch(),
                        plan.cut().shares(),
                        plan.cut().microBatch()));
        return plan;
    }

    private boolean run(
            Optional<Checkpoint> newest, RunData data, Executor executor, Optional<StoredCheckpoints> stored) {
        ModelConfig modelConfig = config.modelConfig(data.vocabSize());
        Model model = Model.of(modelConfig);
        RunPlan plan = plan(model, newest, Device.of(executor, workers.onThisMachine()));
        plan.requireFit();
        if (workers.isFirst()) {
            LOG.debug("plan:\n{}", plan);
        }
        try (TrainingStep step = new TrainingStep(
                executor,
                model,
                config.optimizerSettings(),
                plan.sharing(config.workers()),
                config.train().sequenceLength(),
                plan.recompute(),
                workers)) {
            return run(newest, data, executor, model, plan, step, stored);
        }
    }

    private boolean run(
            Optional<Checkpoint> newest,
            RunData data,
            Executor executor,
            Model model,
            RunPlan plan,
            TrainingStep step,
            Optional<StoredCheckpoints> stored) {
        OptimizerSettings settings = config.optimizerSettings();
        RunConfig.Train train = config.train();
        long seed = config.run().seed();
        MixturePlan mixturePlan = MixturePlan.of(config, data);
        mixturePlan.requireWithinLimits();
        Batches batches = batches(data);
        Optional<Evaluation> evaluation = config.evaluate()
                .map(evaluate -> new Evaluation(
                        executor,
                        model,
                        validation(evaluate, data, mixturePlan),
                        plan.microBatch(),
                        train.sequenceLength(),
                        data.tokenizer().map(TrainingRun::textBytes),
                        workers));
        Optional<Trainer.SampleWriter> samples =
                config.sample().map(sample -> sampleWriter(sample, executor, model, data));
        Moments moments = Moments.of(settings, model, step.dealtOut(), workers.world());
        Optional<CheckpointUploads> uploads = stored.map(store -> new CheckpointUploads(
                store,
                folder.resolve(CHECKPOINTS),
                config.checkpoint().keep().orElse(Integer.MAX_VALUE),
                config.checkpoint().keepEvery().orElse(0L)));
        try (RunCheckpoints checkpoints = new RunCheckpoints(
                folder.resolve(CHECKPOINTS),
                config,
                data.fingerprint(),
                plan.cut(),
                model,
                moments,
                executor.tensors(),
                data.tokenizer(),
                workers,
                TensorFiles.MAX_BYTES,
                uploads,
                preparation)) {
            newest.ifPresent(checkpoint -> uploads.ifPresent(each -> each.found(checkpoint.step())));
            Progress from = newest.map(checkpoints::restore).orElseGet(() -> {
                initialize(model, executor, seed);
                return Progress.START;
            });
            if (workers.isFirst()) {
                describe(data, from);
            }
            Trainer.Made made =
                    new Trainer.Made(workers.first(MetricsFile.hasEvaluation(folder, from.step()) ? 1 : 0) == 1, (int)
                            workers.first(MetricsFile.samples(folder, from.step())));
            try (MetricsFile metrics = new MetricsFile();
                    TensorBoardWriter tensorBoard = new TensorBoardWriter();
                    Report report = new Report()) {
                List<TrainEvent.Listener> listeners =
                        workers.isFirst() ? List.of(metrics, tensorBoard, report, listener) : List.of(listener);
                TrainEvent.Listener all = event -> listeners.forEach(each -> each.on(event));
                Optional<Profiler> profiler = profile && workers.isFirst()
                        ? Optional.of(new Profiler(executor, plan.device(), folder, from.step(), all))
                        : Optional.empty();
                all.on(new TrainEvent.Started(
                        folder, from.step(), train.steps(), step.tokens(), described(plan, mixturePlan)));
                return new Trainer(
                                new Trainer.Plan(
                                        train.steps(),
                                        train.globalBatch(),
                                        config.evaluate()
                                                .map(RunConfig.Evaluate::every)
                                                .orElse(0L),
                                        config.sample()
                                                .map(RunConfig.Sample::every)
                                                .orElse(0L),
                                        config.checkpoint().every().orElse(0L)),
                                step,
                                batches,
                                config.learningRate(),
                                settings.lr(),
                                train.spikeGuard()
                                        .map(guard -> new SpikeGuard(guard.window(), guard.zScore(), from.spikes())),
                                evaluation,
                                samples,
                                checkpoints,
                                profiler,
                                all,
                                () -> workers.any(saveNow.getAsBoolean() || checkpoints.isOverdue()),
                                stopAnywhere)
                        .run(from, made);
            }
        }
    }

    /// Lets the first worker write samples while the others wait. It polls none of them meanwhile: what stops
    /// it is its own.
    private Trainer.SampleWriter sampleWriter(RunConfig.Sample sample, Executor executor, Model model, RunData data) {
        if (!workers.isFirst()) {
            return (_, _, _, _) -> !workers.any(false);
        }
        Samples samples = new Samples(
                sample, config.run().seed(), executor, model, data.tokenizer().orElseThrow());
        return (step, written, _, events) -> !workers.any(!samples.write(step, written, stopHere, events));
    }

    /// Writes down what the run is made from.
    private void describe(RunData data, Progress from) {
        data.tokenizer().ifPresent(tokenizer -> tokenizer.write(folder.resolve("tokenizer.json")));
        Provenance.now(
                        from.step(),
                        writeConfig(),
                        data.fingerprint(),
                        data.tokenizer().map(Tokenizer::hash).orElse(""))
                .appendTo(folder);
    }

    /// The bytes of text that a token stands for: a special token stands for none.
    private static IntUnaryOperator textBytes(Tokenizer tokenizer) {
        int[] bytes = IntStream.range(0, tokenizer.vocabSize())
                .map(id -> tokenizer.addedToken(id).isPresent() ? 0 : tokenizer.tokenBytes(id))
                .toArray();
        return id -> bytes[id];
    }

    private String described(RunPlan plan, MixturePlan mixture) {
        return config.data().isMixture() ? plan + "\n" + mixture : plan.toString();
    }

    private Batches batches(RunData data) {
        long seed = config.run().seed();
        List<Batches.Source> sources = new ArrayList<>();
        for (TokenizedCorpus corpus : data.corpora()) {
            long own = config.data().isMixture() ? Mixture.seedOfSource(seed, sources.size()) : seed;
            sources.add(new Batches.Source(corpus.train(), SampleOrder.shuffled(samples(corpus.train()), own)));
        }
        return new Batches(
                sources,
                config.mixture(),
                config.train().sequenceLength(),
                config.data().documentMask());
    }

    /// The sources that have something to evaluate on.
    private List<Evaluation.Source> validation(RunConfig.Evaluate evaluate, RunData data, MixturePlan plan) {
        List<Evaluation.Source> sources = new ArrayList<>();
        for (int i = 0; i < data.corpora().size(); i++) {
            String name = plan.rows().get(i).name();
            double share = plan.shares().get(i);
            data.corpora().get(i).validation().ifPresent(shards -> {
                long samples = samples(shards);
                sources.add(new Evaluation.Source(
                        name,
                        share,
                        new Batches(
                                shards,
                                SampleOrder.sequential(samples),
                                config.train().sequenceLength(),
                                config.data().documentMask()),
                        Math.min(samples, evaluate.sequences().orElse(Integer.MAX_VALUE))));
            });
        }
        return sources;
    }

    private long samples(TokenShards shards) {
        return Batches.samples(shards, config.train().sequenceLength());
    }

    private static void initialize(Model model, Executor executor, long seed) {
        for (int i = 0; i < model.parameters().size(); i++) {
            String name = model.parameters().get(i).name();
            Initialization.fill(model.parameters(), i, seed, executor.tensors().host(name));
            executor.tensors().push(name);
        }
    }

    private void createFolder() {
        try {
            Files.createDirectories(folder.resolve("logs"));
        } catch (IOException e) {
            throw QuernException.io("%s: the run's folder cannot be made".formatted(folder), e);
        }
    }

    private String writeConfig() {
        String yaml = ConfigWriter.yaml(config);
        try {
            Files.writeString(folder.resolve("config.yaml"), yaml);
        } catch (IOException e) {
            throw QuernException.io("%s cannot be written".formatted(folder.resolve("config.yaml")), e);
        }
        return yaml;
    }
}
