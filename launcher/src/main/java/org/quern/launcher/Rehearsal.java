package org.quern.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.quern.base.QuernException;
import org.quern.config.DataSection;
import org.quern.config.ModelSection;
import org.quern.config.RunConfig;
import org.quern.config.TokenizerSection;
import org.quern.tokenizer.SplitPattern;
import org.quern.train.TrainingRun;
import org.quern.train.Workers;

/// What a process that stands by does first: trains, as the run does, a small model of the same kind on
/// made-up text, and goes on from its checkpoint a few times, so that the JVM has loaded and compiled all
/// that it will need at once.
final class Rehearsal {
    private static final int ROUNDS = 5;
    private static final int STEPS = 12;

    private static final int HIDDEN = 128;
    private static final int LAYERS = 2;
    private static final int HEADS = 4;
    private static final int VOCABULARY = 512;
    private static final int LONGEST = 64;
    private static final int SEQUENCES = 4;

    private final RunConfig config;
    private final Path folder;
    private final Workers workers;

    /// @param config of the run
    /// @param folder of its own, deleted before and afterwards
    /// @param workers those that rehearse
    Rehearsal(RunConfig config, Path folder, Workers workers) {
        this.folder = folder;
        this.workers = workers;
        Path text = folder.resolve("text.txt");
        this.config = small(config, text, workers.world());
    }

    void run() {
        if (workers.isFirst()) {
            remove();
            write(config.data().text().orElseThrow().getFirst());
        }
        workers.barrier();
        for (int round = 0; round < ROUNDS; round++) {
            new TrainingRun(
                            config,
                            folder.resolve("run"),
                            _ -> {},
                            (_, _, _) -> {},
                            () -> false,
                            afterSteps(),
                            workers,
                            false)
                    .run();
        }
        workers.barrier();
        if (workers.isFirst()) {
            remove();
        }
    }

    private void remove() {
        try {
            if (Files.exists(folder)) {
                Folders.delete(folder);
            }
        } catch (IOException e) {
            throw QuernException.io("%s cannot be deleted".formatted(folder), e);
        }
    }

    private static BooleanSupplier afterSteps() {
        int[] asked = {0};
        return () -> asked[0]++ == STEPS;
    }

    private static void write(Path text) {
        try {
            Files.createDirectories(text.getParent());
            Files.writeString(
                    text,
                    IntStream.range(0, 200)
                            .mapToObj(i -> "Rehearsal %d of %s."
                                    .formatted(
                                            i,
                                            Long.toString(i * 2654435761L, 36).repeat(9)))
                            .collect(Collectors.joining("\f")));
        } catch (IOException e) {
            throw QuernException.io("%s cannot be written".formatted(text), e);
        }
    }

    /// What the small model has of the configured one is what decides which code runs.
    private static RunConfig small(RunConfig config, Path text, int world) {
        ModelSection model = config.model();
        RunConfig.Train train = config.train();
        return new RunConfig(
                config.run(),
                config.kernels(),
                new ModelSection(
                        model.architecture(),
                        Optional.empty(),
                        HIDDEN,
                        Optional.empty(),
                        LAYERS,
                        HEADS,
                        model.numKeyValueHeads().map(heads -> heads < model.numAttentionHeads() ? HEADS / 2 : HEADS),
                        Optional.empty(),
                        Optional.empty(),
                        model.hiddenAct(),
                        model.normEps(),
                        model.ropeTheta(),
                        model.ropeScaling(),
                        model.slidingWindow().map(window -> Math.min(window, LONGEST / 2)),
                        model.tieWordEmbeddings(),
                        model.initializerRange()),
                new TokenizerSection(
                        Optional.empty(),
                        Optional.of(new TokenizerSection.Training(
                                VOCABULARY, SplitPattern.LLAMA3, List.of("<|endoftext|>"))),
                        Optional.empty(),
                        Optional.empty()),
                new DataSection(
                        Optional.of(List.of(text)),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        config.data().documentMask()),
                new RunConfig.Train(
                        Integer.MAX_VALUE,
                        SEQUENCES * world,
                        Optional.empty(),
                        Math.min(train.sequenceLength(), LONGEST),
                        train.recompute(),
                        train.clipGradNorm(),
                        train.spikeGuard()),
                config.optimizer(),
                config.schedule(),
                Optional.empty(),
                Optional.empty(),
                new RunConfig.Checkpoint(
                        Optional.empty(), Optional.empty(), Optional.of(1), Optional.empty(), Optional.empty()),
                new RunConfig.Workers(
                        Optional.empty(),
                        config.workers().zeroStage(),
                        config.workers().bucketMib(),
                        config.workers().gradients(),
                        0,
                        false,
                        1,
                        1,
                        0,
                        1));
    }
}
