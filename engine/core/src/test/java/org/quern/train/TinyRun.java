package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.quern.base.Json;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.NamedTensor;
import org.quern.checkpoint.Safetensors;
import org.quern.collective.Communicator;
import org.quern.config.ConfigReader;
import org.quern.config.RunConfig;
import org.quern.executor.Executor;
import tools.jackson.databind.JsonNode;

/// Training runs of a model with a few thousand weights, for tests: twelve steps, a checkpoint every third, an
/// evaluation every fourth, on tokens that mostly follow from the one before.
final class TinyRun {
    static final int STEPS = 12;

    private static final int VOCAB = 61;

    private static final String CONFIG = """
            run: {seed: 3, threads: 2}
            model:
              architecture: llama
              hidden_size: 16
              intermediate_size: 24
              num_hidden_layers: 2
              num_attention_heads: 2
              num_key_value_heads: 1
            tokenizer: {vocab_size: 61, end_of_text: 0}
            data: {train: [train.bin], validation: [validation.bin]}
            train: {steps: 12, global_batch: 6, micro_batch: 2, sequence_length: 13, spike_guard: off}
            optimizer: {lr: 1e-2}
            schedule: {warmup_steps: 3}
            evaluate: {every: 4, sequences: 7}
            checkpoint: {every: 3, keep: all}
            """;

    private final Path folder;
    private final Path config;
    private Map<String, String> environment = Map.of();

    /// @param folder for the config, the data and the runs
    TinyRun(Path folder) {
        this.folder = folder;
        config = folder.resolve("tiny.yaml");
        write(config, CONFIG);
        writeTokens("train.bin", 2999, 1);
        writeTokens("validation.bin", 307, 2);
    }

    /// Writes an llm.c file of documents of 5 to 40 tokens.
    void writeTokens(String name, int count, long seed) {
        Random random = new Random(seed);
        ByteBuffer file = ByteBuffer.allocate(1024 + 2 * count).order(ByteOrder.LITTLE_ENDIAN);
        file.putInt(20240520).putInt(1).putInt(count).position(1024);
        int left = 0;
        int token = 0;
        while (file.hasRemaining()) {
            if (left == 0) {
                left = random.nextInt(5, 41);
                token = 0;
            } else {
                token = random.nextInt(4) == 0 ? random.nextInt(1, VOCAB) : 1 + (7 * token + 3) % (VOCAB - 1);
            }
            file.putShort((short) token);
            left--;
        }
        try {
            Files.write(folder.resolve(name), file.array());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Overrides for a run on text, which trains a tokenizer and writes samples every fifth step.
    String[] text() {
        StringBuilder text = new StringBuilder();
        Random random = new Random(3);
        String[] words = {"the ", "cat ", "and ", "a ", "dog ", "sat ", "on ", "mat", "s. "};
        for (int document = 0; document < 60; document++) {
            text.append("{\"text\": \"");
            for (int i = random.nextInt(10, 30); i > 0; i--) {
                text.append(words[random.nextInt(words.length)]);
            }
            text.append("\"}\n");
        }
        write(folder.resolve("text.jsonl"), text.toString());
        return new String[] {
            "tokenizer={train: {vocab_size: 270}}",
            "data={text: [%s], validation_fraction: 0.2}".formatted(folder.resolve("text.jsonl")),
            "sample={every: 5, prompts: [the, ''], max_tokens: 6}"
        };
    }

    /// Overrides for a run on three sources, whose weights change from the fifth step on.
    String[] mixture() {
        writeTokens("second.bin", 700, 4);
        writeTokens("third.bin", 500, 5);
        writeTokens("third-validation.bin", 200, 6);
        return new String[] {"""
            data={sources: [{name: first, weight: 0.6, train: [%1$s/train.bin], validation: [%1$s/validation.bin]},
            {name: second, weight: 0.3, train: [%1$s/second.bin]},
            {name: third, weight: 0.1, max_epochs: 2, train: [%1$s/third.bin], validation: [%1$s/third-validation.bin]}],
            anneal: [{after: 4, over: 5, weights: [0.1, 0.1, 0.8]}]}""".formatted(folder).replace('\n', ' ')};
    }

    /// The file of the config.
    Path file() {
        return config;
    }

    Path run(String name) {
        return folder.resolve(name);
    }

    /// Trains to the last step.
    ///
    /// @param overrides such as `train.steps=5`
    /// @return what happened
    List<TrainEvent> train(String run, String... overrides) {
        List<TrainEvent> events = new ArrayList<>();
        boolean complete = training(run, events::add, () -> false, overrides).run();
        assertThat(complete).as("complete").isTrue();
        return events;
    }

    /// Trains to the last step with the operations of a few timed.
    List<TrainEvent> trainProfiled(String run, String... overrides) {
        List<TrainEvent> events = new ArrayList<>();
        new TrainingRun(
                        config(overrides),
                        run(run),
                        events::add,
                        (_, _, _) -> {},
                        () -> false,
                        () -> false,
                        Workers.alone(),
                        true)
                .run();
        return events;
    }

    /// Trains to the last step on a device of the caller's choice.
    void train(Supplier<Executor> device, TrainEvent.Listener listener, String run, String... overrides) {
        boolean complete = training(run, listener, () -> false, overrides).run(device);
        assertThat(complete).as("complete").isTrue();
    }

    /// Trains until asked to stop after a step.
    List<TrainEvent> trainUntil(long step, String run, String... overrides) {
        return trainUntil(event -> event instanceof TrainEvent.Step done && done.step() >= step, run, overrides);
    }

    /// Trains until asked to stop after the first event of a type.
    List<TrainEvent> trainUntil(Class<? extends TrainEvent> type, String run, String... overrides) {
        return trainUntil(type::isInstance, run, overrides);
    }

    private List<TrainEvent> trainUntil(Predicate<TrainEvent> last, String run, String... overrides) {
        List<TrainEvent> events = new ArrayList<>();
        boolean complete = training(run, events::add, () -> events.stream().anyMatch(last), overrides)
                .run();
        assertThat(complete).as("complete").isFalse();
        return events;
    }

    /// Trains with a listener, which may throw.
    void train(TrainEvent.Listener listener, String run, String... overrides) {
        training(run, listener, () -> false, overrides).run();
    }

    /// Trains to the last step, asked for a checkpoint after some.
    void train(BooleanSupplier saveNow, String run, String... overrides) {
        new TrainingRun(
                        config(overrides),
                        run(run),
                        _ -> {},
                        (_, _, _) -> {},
                        saveNow,
                        () -> false,
                        Workers.alone(),
                        false)
                .run();
    }

    private TrainingRun training(String run, TrainEvent.Listener listener, BooleanSupplier stop, String... overrides) {
        return training(Workers.alone(), run, listener, stop, overrides);
    }

    private TrainingRun training(
            Workers workers, String run, TrainEvent.Listener listener, BooleanSupplier stop, String... overrides) {
        return new TrainingRun(
                config(overrides), run(run), listener, (_, _, _) -> {}, () -> false, stop, workers, false, environment);
    }

    /// Sets the variables of the runs that follow.
    void environment(Map<String, String> variables) {
        environment = variables;
    }

    /// Trains with several workers, threads of this process.
    ///
    /// @param until the last worker asks to stop after this step
    /// @return what happened at each worker
    List<List<TrainEvent>> trainTogether(int world, long until, String run, String... overrides) {
        LocalGroup group = new LocalGroup(world);
        LocalGroup writers = new LocalGroup(world);
        List<List<TrainEvent>> events = new ArrayList<>();
        List<Future<Boolean>> workers = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(world)) {
            for (int i = 0; i < world; i++) {
                int rank = i;
                List<TrainEvent> mine = new ArrayList<>();
                events.add(mine);
                BooleanSupplier stop = () -> until < STEPS
                        && rank == world - 1
                        && mine.stream()
                                .anyMatch(event -> event instanceof TrainEvent.Step done && done.step() >= until);
                Communicator communicator = group.of(rank);
                workers.add(threads.submit(() -> training(
                                new Workers(communicator, communicator, writers.of(rank), world, Optional.empty()),
                                run,
                                mine::add,
                                stop,
                                overrides)
                        .run()));
            }
            for (Future<Boolean> worker : workers) {
                assertThat(worker.get()).as("complete").isEqualTo(until >= STEPS);
            }
        } catch (InterruptedException | ExecutionException e) {
            throw new AssertionError(e);
        }
        return events;
    }

    RunConfig config(String... overrides) {
        return ConfigReader.read(config, RunConfig.class, List.of(overrides));
    }

    Path checkpoint(String run, long step) {
        return run(run).resolve("checkpoints").resolve(String.format(Locale.ROOT, "step-%08d", step));
    }

    /// The steps that a run has checkpoints of.
    List<Long> checkpoints(String run) {
        try (Stream<Path> folders = Files.list(run(run).resolve("checkpoints"))) {
            return folders.map(path -> path.getFileName().toString())
                    .filter(name -> name.startsWith("step-"))
                    .map(name -> Long.parseLong(name.substring("step-".length())))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Asserts that the weights and moments of two runs have the same bits after a step, in whatever files.
    void assertSameBits(String expected, String actual, long step) {
        try (Arena arena = Arena.ofConfined()) {
            for (String base : List.of(Checkpoint.MODEL, Checkpoint.OPTIMIZER)) {
                assertSame(
                        Checkpoint.open(checkpoint(actual, step)).tensors(base, arena),
                        Checkpoint.open(checkpoint(expected, step)).tensors(base, arena));
            }
        }
    }

    /// Asserts that a file holds just these tensors.
    static void assertHolds(Path file, List<NamedTensor> tensors) {
        try (Arena arena = Arena.ofConfined()) {
            assertSame(Safetensors.read(file, arena), tensors);
        }
    }

    private static void assertSame(List<NamedTensor> found, List<NamedTensor> tensors) {
        assertThat(found)
                .extracting(NamedTensor::name)
                .containsExactlyInAnyOrderElementsOf(
                        tensors.stream().map(NamedTensor::name).toList());
        for (NamedTensor tensor : tensors) {
            assertThat(found)
                    .filteredOn(other -> other.name().equals(tensor.name()))
                    .allSatisfy(other -> assertThat(other.data().mismatch(tensor.data()))
                            .as(tensor.name())
                            .isEqualTo(-1));
        }
    }

    /// The lines of a run's `metrics.jsonl` or of another file like it.
    List<JsonNode> lines(String run, String file) {
        try (Stream<String> lines = Files.lines(run(run).resolve(file))) {
            return lines.map(Json.MAPPER::readTree).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The steps of the lines of `metrics.jsonl` that have a key.
    List<Long> steps(String run, String key) {
        return lines(run, "metrics.jsonl").stream()
                .filter(line -> line.has(key))
                .map(line -> line.path("step").asLong())
                .toList();
    }

    static <T extends TrainEvent> List<T> only(Class<T> type, List<TrainEvent> events) {
        return events.stream().filter(type::isInstance).map(type::cast).toList();
    }

    static void write(Path file, String text) {
        try {
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
