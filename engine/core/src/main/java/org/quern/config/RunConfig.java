package org.quern.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.quern.data.Mixture;
import org.quern.executor.Devices;
import org.quern.executor.KernelProvider;
import org.quern.graph.Recompute;
import org.quern.model.ModelConfig;
import org.quern.optimizer.LearningRate;
import org.quern.optimizer.OptimizerSettings;
import org.quern.store.StorePlace;

/// A training run as its YAML file describes it. Absent `evaluate` or `sample` sections mean that neither
/// happens.
public record RunConfig(
        @Default("{}") Run run,
        @Default("{}") Kernels kernels,
        ModelSection model,
        TokenizerSection tokenizer,
        DataSection data,
        Train train,
        Optimizer optimizer,
        @Default("{}") Schedule schedule,
        Optional<Evaluate> evaluate,
        Optional<Sample> sample,
        @Default("{}") Checkpoint checkpoint,
        @Default("{}") Workers workers)
        implements Checked {
    /// What can name a folder.
    static final String NAME = "\\w[\\w.-]*";

    /// Which run it is and where it runs.
    ///
    /// @param name of the run's folder; by default that of the file
    /// @param seed of everything random
    /// @param device `auto`, `cpu`, `cuda`, `cuda:N` or `emulated`
    /// @param threads compute threads; by default as many as there are cores
    public record Run(
            Optional<String> name,
            @Default("1") long seed,
            @Default("auto") String device,
            @Range(min = 1) @EmptyWord("auto") Optional<Integer> threads)
            implements Checked {

        @Override
        public List<String> problems() {
            List<String> problems = new ArrayList<>();
            if (!Devices.isName(device)) {
                problems.add("device must be auto, cpu, cuda, cuda:N or emulated: got " + device);
            }
            name.filter(text -> !text.matches(NAME))
                    .ifPresent(text -> problems.add(
                            "name must be letters, digits, dots, dashes and underscores, as it names a folder: got "
                                    + text));
            return problems;
        }
    }

    /// What computes on a GPU.
    ///
    /// @param provider of matrix products: `ptx`, Quern's own kernels; `library`, NVIDIA's cuBLAS; `warpgroups`,
    ///     Quern's own for compute capability 9.0, of attention as well; or `fp8`, the same with the products of
    ///     linear layers in floats of 8 bits
    /// @param programmatic whether kernels for compute capability 9.0 begin while the launch before them ends, with
    ///     the same results: programmatic dependent launch
    public record Kernels(
            @Default("ptx") KernelProvider provider,
            @Default("false") boolean programmatic) {}

    /// The loop.
    ///
    /// @param steps optimiser steps; 0 writes a checkpoint of the initial weights
    /// @param globalBatch sequences of an optimiser step
    /// @param microBatch sequences that go through the model at once; by default what fits
    /// @param sequenceLength tokens of a sequence
    /// @param recompute what the backward pass computes again instead of keeping it; by default as little as
    ///     fits
    /// @param clipGradNorm the norm that the whole gradient is clipped to
    public record Train(
            @Range(min = 0) long steps,
            @Range(min = 1) int globalBatch,

            @Range(min = 1) @Default("auto") @EmptyWord("auto")
            Optional<Integer> microBatch,

            @Range(min = 1) int sequenceLength,

            @Default("auto") @EmptyWord("auto") Optional<Recompute> recompute,

            @Range(above = 0) @Default("1.0") @EmptyWord("off")
            Optional<Double> clipGradNorm,

            @Default("{}") @EmptyWord("off") Optional<SpikeGuard> spikeGuard)
            implements Checked {
        /// Sequences of a run: as many as [Mixture] counts.
        private static final long MOST_SAMPLES = 1L << 58;

        public long tokensPerStep() {
            return (long) globalBatch * sequenceLength;
        }

        @Override
        public List<String> problems() {
            List<String> problems = new ArrayList<>();
            microBatch
                    .filter(size -> globalBatch % size != 0)
                    .ifPresent(size -> problems.add("micro_batch must divide global_batch %d: got %d (try %s)"
                            .formatted(globalBatch, size, divisorsAround(globalBatch, size))));
            if (steps > MOST_SAMPLES / globalBatch) {
                problems.add("steps times global_batch must be at most %,d: got %,d times %,d"
                        .formatted(MOST_SAMPLES, steps, globalBatch));
            }
            long rows = (long) microBatch.orElse(1) * sequenceLength;
            if (rows > Integer.MAX_VALUE) {
                problems.add("micro_batch times sequence_length must be at most %d: got %d"
                        .formatted(Integer.MAX_VALUE, rows));
            }
            return problems;
        }
    }

    /// Leaves out steps whose loss or gradient norm is far above the recent ones.
    ///
    /// @param window how many steps are recent
    /// @param zScore how many standard deviations are far
    public record SpikeGuard(
            @Range(min = 8) @Default("128") int window,
            @Range(above = 0) @Default("6.0") double zScore) {}

    /// The optimiser.
    ///
    /// @param lr the peak learning rate
    /// @param betas decay of AdamW's two moments
    /// @param weightDecay of matrices; vectors have none
    /// @param moments how AdamW keeps its moments: half the memory with bfloat16, rounded stochastically
    /// @param muon how Muon trains the matrices of the layers; the rest is AdamW's
    public record Optimizer(
            @Default("adamw") Name name,
            @Range(above = 0) double lr,

            @Range(min = 0, below = 1) @Default("[0.9, 0.95]")
            List<Double> betas,

            @Range(above = 0) @Default("1e-8") double eps,
            @Range(min = 0) @Default("0.1") double weightDecay,
            @Default("float32") Moments moments,
            Optional<Muon> muon)
            implements Checked {

        /// The types of AdamW's moments.
        public enum Moments {
            FLOAT32,
            BFLOAT16
        }

        /// The optimisers.
        public enum Name {
            ADAMW,
            MUON
        }

        @Override
        public List<String> problems() {
            List<String> problems = new ArrayList<>();
            if (betas.size() != 2) {
                problems.add("betas must be two numbers: got " + betas.size());
            }
            if (name == Name.ADAMW && muon.isPresent()) {
                problems.add("muon is given, but name is adamw: write name: muon or remove the section");
            }
            if (name == Name.MUON && muon.isEmpty()) {
                problems.add("muon is missing: with name: muon, give at least its learning rate, such as"
                        + " muon: {lr: 0.02}");
            }
            return problems;
        }
    }

    /// Muon's part.
    ///
    /// @param lr its peak learning rate
    public record Muon(
            @Range(above = 0) double lr,
            @Range(min = 0, below = 1) @Default("0.95") double momentum,
            @Range(min = 1, max = 20) @Default("5") int newtonSchulzSteps,
            @Range(min = 0) @Default("0.1") double weightDecay) {}

    /// The learning rate over the run: a linear warm-up, then a shape.
    ///
    /// @param warmupSteps steps from 0 to the peak
    /// @param finalLrFraction where cosine, linear and wsd end, as a fraction of the peak; 0.1 by default
    /// @param decaySteps the last steps, in which wsd goes down; a fifth of the run by default
    public record Schedule(
            @Default("cosine") LearningRate.Shape name,
            @Range(min = 0) @Default("0") long warmupSteps,
            @Range(min = 0, max = 1) Optional<Double> finalLrFraction,
            @Range(min = 1) Optional<Long> decaySteps)
            implements Checked {

        /// The steps in which wsd goes down.
        long decaySteps(long steps) {
            return decaySteps.orElse(Math.max(1, steps / 5));
        }

        @Override
        public List<String> problems() {
            List<String> problems = new ArrayList<>();
            if (name == LearningRate.Shape.CONSTANT && finalLrFraction.isPresent()) {
                problems.add("final_lr_fraction has no meaning in a constant schedule: remove it");
            }
            if (name != LearningRate.Shape.WSD && decaySteps.isPresent()) {
                problems.add("decay_steps goes with name: wsd only: remove it");
            }
            return problems;
        }
    }

    /// Evaluation on the validation data.
    ///
    /// @param every steps between two
    /// @param sequences how many sequences of it
    public record Evaluate(
            @Range(min = 1) @Default("250") long every,

            @Range(min = 1) @Default("all") @EmptyWord("all")
            Optional<Integer> sequences) {}

    /// Texts written on the way.
    ///
    /// @param every steps between two
    /// @param prompts their beginnings
    /// @param topK only the k likeliest tokens
    /// @param topP only the likeliest tokens that make up this probability
    /// @param minP only tokens at least this likely, relative to the likeliest
    public record Sample(
            @Range(min = 1) @Default("250") long every,
            List<String> prompts,
            @Range(min = 1) @Default("100") int maxTokens,
            @Range(min = 0) @Default("0.8") double temperature,

            @Range(min = 1) @Default("off") @EmptyWord("off")
            Optional<Integer> topK,

            @Range(above = 0, max = 1) @Default("off") @EmptyWord("off")
            Optional<Double> topP,

            @Range(above = 0, max = 1) @Default("off") @EmptyWord("off")
            Optional<Double> minP)
            implements Checked {
        @Override
        public List<String> problems() {
            return prompts.isEmpty()
                    ? List.of("prompts must hold at least one text: remove the sample section for no samples")
                    : List.of();
        }
    }

    /// Checkpoints.
    ///
    /// @param every steps between two; there is always one at the end
    /// @param minutes there is one at least this often
    /// @param keep how many of the newest stay
    /// @param keepEvery steps whose multiples stay for good
    /// @param upload where in an object store each is copied to, and a run without a folder goes on from:
    ///     `s3://bucket/prefix`, of this run alone
    public record Checkpoint(
            @Range(min = 1) @Default("1000") @EmptyWord("off")
            Optional<Long> every,

            @Range(above = 0) @Default("15") @EmptyWord("off")
            Optional<Double> minutes,

            @Range(min = 1) @Default("2") @EmptyWord("all") Optional<Integer> keep,

            @Range(min = 1) @Default("off") @EmptyWord("off")
            Optional<Long> keepEvery,

            @Default("off") @EmptyWord("off") Optional<String> upload)
            implements Checked {
        @Override
        public List<String> problems() {
            return upload.flatMap(StorePlace::problem).stream()
                    .map(problem -> "upload " + problem)
                    .toList();
        }
    }

    /// Workers that share the sequences of a step (data parallelism). How many there are is said when a run is
    /// started.
    ///
    /// @param shares equal parts of a global batch, each the work of one worker at a time. Gradients are summed
    ///     as a tree over the shares, so that on CPUs the number of workers changes no bit as long as each has
    ///     1, 2, 4, 8, ... of them. By default 4 on CPUs, where the batch can be cut so, and one a worker on GPUs
    /// @param zeroStage 1: each worker updates a part of the parameters, and holds the optimiser's states of
    ///     these alone
    /// @param bucketMib gradients that are summed over the workers at once, while the backward pass goes on
    /// @param gradients of several GPUs: `nccl`, from GPU to GPU by NVIDIA's NCCL, each worker with a GPU of
    ///     its own, or `host`, through the host's memory: slow, for workers that share a GPU and for comparison
    /// @param maxRestarts how many times in a row all start again, after one failed, without a new checkpoint
    /// @param standby whether beside each worker on a CPU a process waits that has rehearsed: when one fails,
    ///     the next attempt is theirs, and need not start
    /// @param timeout seconds without a sign of life after which a worker counts as hung
    /// @param stepTimeout seconds without progress after which it does: more than the longest step takes
    /// @param grace seconds for the others to end when one failed
    /// @param joinTimeout seconds for all machines to come together
    public record Workers(
            @Range(min = 1) @Default("auto") @EmptyWord("auto")
            Optional<Integer> shares,

            @Range(min = 0, max = 1) @Default("0") int zeroStage,
            @Range(min = 1) @Default("32") int bucketMib,
            @Default("nccl") Gradients gradients,
            @Range(min = 0) @Default("3") int maxRestarts,
            @Default("true") boolean standby,
            @Range(above = 0) @Default("30") double timeout,
            @Range(above = 0) @Default("600") double stepTimeout,
            @Range(min = 0) @Default("5") double grace,
            @Range(above = 0) @Default("600") double joinTimeout) {

        /// How the gradients of GPUs are summed.
        public enum Gradients {
            NCCL,
            HOST
        }

        /// Whether so many workers on devices of this name need NCCL.
        public boolean needNccl(String device, int workers) {
            return gradients == Gradients.NCCL && workers > 1 && Devices.isGpu(device);
        }
    }

    /// The model's shape.
    ///
    /// @param tokenizerVocabSize tokens of the tokenizer, the default of `vocab_size`
    /// @throws org.quern.base.QuernException if the sizes do not fit together
    public ModelConfig modelConfig(int tokenizerVocabSize) {
        return model.resolve(tokenizerVocabSize, train.sequenceLength());
    }

    /// In which turns the samples of the run come from its sources.
    public Mixture mixture() {
        return new Mixture(train.globalBatch(), data.phases());
    }

    public LearningRate learningRate() {
        return new LearningRate(
                schedule.name(),
                train.steps(),
                schedule.warmupSteps(),
                schedule.decaySteps(train.steps()),
                schedule.finalLrFraction().orElse(0.1));
    }

    public OptimizerSettings optimizerSettings() {
        return new OptimizerSettings(
                optimizer.lr(),
                optimizer.betas().get(0),
                optimizer.betas().get(1),
                optimizer.eps(),
                optimizer.weightDecay(),
                train.clipGradNorm().orElse(0.0),
                optimizer.moments() == Optimizer.Moments.BFLOAT16 ? Optional.of(run.seed()) : Optional.empty(),
                optimizer
                        .muon()
                        .map(muon -> new OptimizerSettings.Muon(
                                muon.lr(), muon.momentum(), muon.newtonSchulzSteps(), muon.weightDecay())));
    }

    /// What no section can see alone.
    @Override
    public List<String> problems() {
        List<String> problems = new ArrayList<>();
        model.problems(tokenizer.knownVocabSize(), train.sequenceLength())
                .forEach(problem -> problems.add("model." + problem));
        if (train.sequenceLength() > model.maxPositionEmbeddings().orElse(Integer.MAX_VALUE)) {
            problems.add("train.sequence_length must be at most model.max_position_embeddings %d: got %d"
                    .formatted(model.maxPositionEmbeddings().get(), train.sequenceLength()));
        }
        if (kernels.provider() == KernelProvider.LIBRARY && !Devices.isGpu(run.device())) {
            problems.add("kernels.provider must be ptx without a GPU in run.device: got library on " + run.device());
        }
        boolean emulated = run.device().equals(Devices.EMULATED);
        if (kernels.provider().needsWarpgroups() && !Devices.isGpu(run.device()) && !emulated) {
            problems.add("kernels.provider must be ptx if run.device is neither cuda nor emulated: got %s on %s"
                    .formatted(kernels.provider().key(), run.device()));
        }
        if (kernels.programmatic() && !kernels.provider().needsWarpgroups()) {
            problems.add(
                    "kernels.programmatic must be false unless kernels.provider is warpgroups or fp8: got true with "
                            + kernels.provider().key());
        }
        scheduleProblems(problems);
        data.anneal().stream()
                .flatMap(List::stream)
                .filter(change -> change.after() >= train.steps())
                .forEach(change -> problems.add("data.anneal must begin before train.steps %d: got after: %d"
                        .formatted(train.steps(), change.after())));
        shareProblems(problems);
        if (data.any(DataSection.Source::text) && tokenizer.vocabSize().isPresent()) {
            problems.add("tokenizer.vocab_size alone cannot turn data.text into ids: give tokenizer.file or"
                    + " tokenizer.train");
        }
        if (data.any(DataSection.Source::train) && tokenizer.train().isPresent()) {
            problems.add("tokenizer.train needs data.text to train on: give tokenizer.file");
        }
        if (data.any(DataSection.Source::shards) && tokenizer.file().isEmpty()) {
            problems.add("data.shards needs tokenizer.file, the tokenizer that made them");
        }
        if (data.documentMask()
                && tokenizer.vocabSize().isPresent()
                && tokenizer.endOfText().isEmpty()) {
            problems.add(
                    "tokenizer.end_of_text is missing: data.document_mask sees the documents of .bin shards by it");
        }
        if (evaluate.isPresent() && !data.hasValidation()) {
            problems.add("evaluate needs data.validation: give it, or remove the section");
        }
        if (sample.isPresent() && tokenizer.vocabSize().isPresent()) {
            problems.add(
                    "sample needs a tokenizer that turns text into ids and back: give tokenizer.file, or remove the"
                            + " section");
        }
        return problems;
    }

    private void shareProblems(List<String> problems) {
        int batch = train.globalBatch();
        workers.shares().ifPresent(shares -> {
            if (batch % shares != 0) {
                problems.add("workers.shares must divide train.global_batch %d: got %d (try %s)"
                        .formatted(batch, shares, divisorsAround(batch, shares)));
                return;
            }
            int share = batch / shares;
            train.microBatch()
                    .filter(size -> share % size != 0)
                    .ifPresent(size -> problems.add(
                            "train.micro_batch must divide the %d sequences of each of %d shares: got %d (try %s)"
                                    .formatted(share, shares, size, divisorsAround(share, size))));
        });
    }

    private void scheduleProblems(List<String> problems) {
        long rest = train.steps() - schedule.warmupSteps();
        if (rest < 0) {
            problems.add("schedule.warmup_steps must be at most train.steps %d: got %d"
                    .formatted(train.steps(), schedule.warmupSteps()));
        } else if (schedule.name() == LearningRate.Shape.WSD && schedule.decaySteps(train.steps()) > rest) {
            problems.add("schedule.decay_steps must be at most %d, the steps after the warm-up: got %d"
                    .formatted(rest, schedule.decaySteps(train.steps())));
        }
    }

    /// The divisors of a number that are nearest to another number: "6 or 8".
    private static String divisorsAround(int number, int near) {
        IntPredicate divides = divisor -> number % divisor == 0;
        int below = IntStream.iterate(near, i -> i >= 1, i -> i - 1)
                .filter(divides)
                .findFirst()
                .orElse(1);
        OptionalInt above = IntStream.rangeClosed(near, number).filter(divides).findFirst();
        return above.isEmpty() ? "" + number : "%d or %d".formatted(below, above.getAsInt());
    }
}
