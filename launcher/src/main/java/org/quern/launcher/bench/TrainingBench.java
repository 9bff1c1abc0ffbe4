package org.quern.launcher.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.quern.base.QuernException;
import org.quern.config.DataSection;
import org.quern.config.RunConfig;
import org.quern.config.TokenizerSection;
import org.quern.executor.Devices;
import org.quern.executor.Executor;
import org.quern.model.ModelConfig;
import org.quern.optimizer.LearningRate;
import org.quern.tokenizer.Tokenizer;
import org.quern.train.Device;
import org.quern.train.RunPlan;
import org.quern.train.TrainEvent;
import org.quern.train.TrainingRun;
import org.quern.train.Workers;

/// Steps of a training run as its configuration has them, on random tokens, without evaluation, samples and
/// checkpoints on the way.
public final class TrainingBench {
    private static final int HEADER_INTS = 256;
    private static final int MAGIC = 20240801;
    private static final int VERSION = 7;
    /// Steps after which tokens come again.
    private static final int STEPS_OF_DATA = 4;

    private final RunConfig config;
    private final Path folder;
    private final ModelConfig model;
    private Optional<RunPlan> plan = Optional.empty();
    private String profile = "";

    /// @param folder empty, for data and the run
    /// @param steps to take
    /// @param adamW whether AdamW trains all parameters, whatever the configuration says
    public TrainingBench(RunConfig given, Path folder, int steps, boolean adamW) {
        this.folder = folder;
        TokenizerSection tokenizer = given.tokenizer();
        int vocabulary = tokenizer
                .train()
                .map(TokenizerSection.Training::vocabSize)
                .or(tokenizer::vocabSize)
                .orElseGet(() -> Tokenizer.read(tokenizer.file().orElseThrow()).vocabSize());
        Path tokens = folder.resolve("tokens.bin");
        write(tokens, STEPS_OF_DATA * given.train().tokensPerStep() + 1, vocabulary);
        config = with(given, adamW ? adamW(given.optimizer()) : given.optimizer(), tokens, vocabulary, steps);
        model = config.modelConfig(vocabulary);
    }

    private static RunConfig.Optimizer adamW(RunConfig.Optimizer given) {
        return new RunConfig.Optimizer(
                RunConfig.Optimizer.Name.ADAMW,
                given.lr(),
                given.betas(),
                given.eps(),
                given.weightDecay(),
                given.moments(),
                Optional.empty());
    }

    private static RunConfig with(
            RunConfig given, RunConfig.Optimizer optimizer, Path tokens, int vocabulary, int steps) {
        RunConfig.Train train = given.train();
        return new RunConfig(
                given.run(),
                given.kernels(),
                given.model(),
                new TokenizerSection(Optional.empty(), Optional.empty(), Optional.of(vocabulary), Optional.of(0)),
                new DataSection(
                        Optional.empty(),
                        Optional.empty(),
                        Optional.of(List.of(tokens)),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        false),
                new RunConfig.Train(
                        steps,
                        train.globalBatch(),
                        train.microBatch(),
                        train.sequenceLength(),
                        train.recompute(),
                        train.clipGradNorm(),
                        Optional.empty()),
                optimizer,
                new RunConfig.Schedule(LearningRate.Shape.CONSTANT, 0, Optional.empty(), Optional.empty()),
                Optional.empty(),
                Optional.empty(),
                new RunConfig.Checkpoint(
                        Optional.empty(), Optional.empty(), Optional.of(1), Optional.empty(), Optional.empty()),
                given.workers());
    }

    /// llm.c's file of 32-bit tokens, all equally likely.
    private static void write(Path file, long count, int vocabulary) {
        if (count > Integer.MAX_VALUE) {
            throw QuernException.data(
                    "%d steps must have at most %,d tokens for a benchmark: got %,d (lower train.global_batch)"
                            .formatted(STEPS_OF_DATA, Integer.MAX_VALUE, count));
        }
        SplittableRandom random = new SplittableRandom(1);
        ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putInt(MAGIC).putInt(VERSION).putInt((int) count).position(HEADER_INTS * Integer.BYTES);
        try (FileChannel out = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (long left = count; ; left--) {
                if (left == 0 || buffer.remaining() < Integer.BYTES) {
                    buffer.flip();
                    while (buffer.hasRemaining()) {
                        out.write(buffer);
                    }
                    buffer.clear();
                }
                if (left == 0) {
                    return;
                }
                buffer.putInt(random.nextInt(vocabulary));
            }
        } catch (IOException e) {
            throw QuernException.io("%s could not be written".formatted(file), e);
        }
    }

    /// What the run needs; empty before its device is open.
    public Optional<RunPlan> plan() {
        return plan;
    }

    /// What the operations of some steps took, for people; empty if none were timed.
    public String profile() {
        return profile;
    }

    public ModelConfig model() {
        return model;
    }

    public RunConfig config() {
        return config;
    }

    /// Compute threads on a CPU.
    public int threads() {
        return config.run().threads().orElse(Runtime.getRuntime().availableProcessors());
    }

    /// Trains.
    ///
    /// @param profiled whether the operations of the third step to the fifth are timed, which makes those slower
    /// @param progress told how many steps are done
    /// @return seconds of each step
    public List<Double> run(boolean profiled, Consumer<Long> progress) {
        List<Double> seconds = new ArrayList<>();
        long[] last = {0};
        new TrainingRun(
                        config,
                        folder.resolve("run"),
                        event -> {
                            long now = System.nanoTime();
                            switch (event) {
                                case TrainEvent.Step step -> {
                                    seconds.add((now - last[0]) / 1e9);
                                    progress.accept(step.step());
                                }
                                case TrainEvent.Profiled timed -> profile = timed.table();
                                default -> {}
                            }
                            last[0] = System.nanoTime();
                        },
                        (_, _, _) -> {},
                        () -> false,
                        () -> false,
                        Workers.alone(),
                        profiled)
                .run(this::open);
        return seconds;
    }

    private Executor open() {
        RunConfig.Kernels kernels = config.kernels();
        Executor executor = Devices.open(config.run().device(), threads(), kernels.provider(), kernels.programmatic());
        try {
            plan = Optional.of(RunPlan.of(config, Device.of(executor, 1)));
            return executor;
        } catch (RuntimeException e) {
            executor.close();
            throw e;
        }
    }
}
