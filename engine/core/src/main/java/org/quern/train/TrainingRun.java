package org.quern.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.Checkpoints;
import org.quern.config.ConfigWriter;
import org.quern.config.RunConfig;
import org.quern.data.Batches;
import org.quern.data.SampleOrder;
import org.quern.data.TokenShards;
import org.quern.executor.Devices;
import org.quern.executor.Executor;
import org.quern.model.Initialization;
import org.quern.model.Model;
import org.quern.model.ModelConfig;
import org.quern.optimizer.OptimizerGraphs;
import org.quern.optimizer.OptimizerSettings;
import org.quern.tokenizer.Tokenizer;
import org.quern.train.Trainer.Progress;
import org.quern.train.metrics.MetricsFile;
import org.quern.train.metrics.Provenance;
import org.quern.train.metrics.Report;
import org.quern.train.metrics.TensorBoardWriter;
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
    private final BooleanSupplier stop;

    /// @param listener of the events of the run, beside the files that it writes
    /// @param stop whether to stop after the step that is under way
    public TrainingRun(
            RunConfig config,
            Path folder,
            TrainEvent.Listener listener,
            Preparation preparation,
            BooleanSupplier stop) {
        this.config = config;
        this.folder = folder;
        this.listener = listener;
        this.preparation = preparation;
        this.stop = stop;
    }

    /// Trains until the last step or until asked to stop.
    ///
    /// @return whether all steps are done
    public boolean run() {
        int threads = config.run().threads().orElse(Runtime.getRuntime().availableProcessors());
        createFolder();
        Optional<Checkpoint> newest = Checkpoints.newestValid(folder.resolve(CHECKPOINTS));
        newest.ifPresent(checkpoint -> RunCheckpoints.requireSameOrder(checkpoint, RunCheckpoints.Order.of(config)));
        RunPlan.of(config, Device.thisMachine()).requireFit();
        RunData data = RunData.open(config, folder, threads, preparation);
        try (Executor executor = Devices.open(config.run().device(), threads)) {
            return run(newest, data, executor);
        }
    }

    private boolean run(Optional<Checkpoint> newest, RunData data, Executor executor) {
        ModelConfig modelConfig = config.modelConfig(data.vocabSize());
        Model model = Model.of(modelConfig);
        OptimizerSettings settings = config.optimizerSettings();
        RunConfig.Train train = config.train();
        RunPlan plan = RunPlan.of(config, model, Device.thisMachine(), 1);
        plan.requireFit();
        LOG.info("plan:\n{}", plan);
        TrainingStep step = new TrainingStep(
                executor,
                model,
                settings,
                plan.microBatch(),
                plan.microBatches(),
                train.sequenceLength(),
                plan.recompute());
        long seed = config.run().seed();
        Batches batches = batches(
                data.corpus().train(),
                SampleOrder.shuffled(samples(data.corpus().train()), seed));
        Optional<Evaluation> evaluation = config.evaluate().map(evaluate -> {
            TokenShards validation = data.corpus().validation().orElseThrow();
            long samples = samples(validation);
            return new Evaluation(
                    executor,
                    model,
                    batches(validation, SampleOrder.sequential(samples)),
                    Math.min(samples, evaluate.sequences().orElse(Integer.MAX_VALUE)),
                    plan.microBatch(),
                    train.sequenceLength(),
                    data.tokenizer().map(TrainingRun::textBytes));
        });
        Optional<Trainer.SampleWriter> samples = config.sample()
                .map(sample -> new Samples(
                        sample, seed, executor, model, data.tokenizer().orElseThrow()));
        List<String> moments = new OptimizerGraphs(settings, model.parameters()).states();
        RunCheckpoints checkpoints = new RunCheckpoints(
                folder.resolve(CHECKPOINTS),
                config,
                data.corpus().train().fingerprint(),
                model,
                moments,
                executor.tensors(),
                data.tokenizer());
        Progress from = newest.map(checkpoints::restore).orElseGet(() -> {
            initialize(model, executor, seed);
            return Progress.START;
        });
        data.tokenizer().ifPresent(tokenizer -> tokenizer.write(folder.resolve("tokenizer.json")));
        String yaml = writeConfig();
        Provenance.now(
                        from.step(),
                        yaml,
                        data.corpus().train().fingerprint(),
                        data.tokenizer().map(Tokenizer::hash).orElse(""))
                .appendTo(folder);
        Trainer.Made made = new Trainer.Made(
                MetricsFile.hasEvaluation(folder, from.step()), MetricsFile.samples(folder, from.step()));
        try (MetricsFile metrics = new MetricsFile();
                TensorBoardWriter tensorBoard = new TensorBoardWriter();
                Report report = new Report()) {
            List<TrainEvent.Listener> listeners = List.of(metrics, tensorBoard, report, listener);
            TrainEvent.Listener all = event -> listeners.forEach(each -> each.on(event));
            all.on(new TrainEvent.Started(folder, from.step(), train.steps(), step.tokens(), plan.toString()));
            return new Trainer(
                            new Trainer.Plan(
                                    train.steps(),
                                    train.globalBatch(),
                                    config.evaluate()
                                            .map(RunConfig.Evaluate::every)
                                            .orElse(0L),
                                    config.sample().map(RunConfig.Sample::every).orElse(0L),
                                    config.checkpoint().every()),
                            step,
                            batches,
                            config.learningRate(),
                            settings.lr(),
                            train.spikeGuard()
                                    .map(guard -> new SpikeGuard(guard.window(), guard.zScore(), from.spikes())),
                            evaluation,
                            samples,
                            checkpoints,
                            all,
                            stop)
                    .run(from, made);
        }
    }

    /// The bytes of text that a token stands for: a special token stands for none.
    private static IntUnaryOperator textBytes(Tokenizer tokenizer) {
        int[] bytes = IntStream.range(0, tokenizer.vocabSize())
                .map(id -> tokenizer.addedToken(id).isPresent() ? 0 : tokenizer.tokenBytes(id))
                .toArray();
        return id -> bytes[id];
    }

    private long samples(TokenShards shards) {
        return Batches.samples(shards, config.train().sequenceLength());
    }

    private Batches batches(TokenShards shards, SampleOrder order) {
        return new Batches(
                shards, order, config.train().sequenceLength(), config.data().documentMask());
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
            throw QuernException.io("%s: the run's folder cannot be made: %s".formatted(folder, e), e);
        }
    }

    private String writeConfig() {
        String yaml = ConfigWriter.yaml(config);
        try {
            Files.writeString(folder.resolve("config.yaml"), yaml);
        } catch (IOException e) {
            throw QuernException.io("%s cannot be written: %s".formatted(folder.resolve("config.yaml"), e), e);
        }
        return yaml;
    }
}
