package org.quern.launcher.bench;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import org.quern.base.QuernException;
import org.quern.executor.CpuExecutor;
import org.quern.executor.Program;
import org.quern.executor.TensorStore;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Op;
import org.quern.graph.Recompute;
import org.quern.graph.Shape;
import org.quern.graph.Value;
import org.quern.model.Initialization;
import org.quern.model.Model;
import org.quern.model.ModelConfig;
import org.quern.model.ModelConfig.Activation;
import org.quern.model.ModelConfig.Architecture;
import org.quern.model.ModelGraphs;
import org.quern.optimizer.OptimizerSettings;
import org.quern.tokenizer.BpeTrainer;
import org.quern.tokenizer.Encoder;
import org.quern.tokenizer.SplitPattern;
import org.quern.tokenizer.TokenBuffer;
import org.quern.tokenizer.Tokenizer;
import org.quern.train.Sharing;
import org.quern.train.TrainingStep;
import org.quern.train.Workers;

/// The benchmarks of the CPU, on random data unless they are about text. The first round includes the warm-up
/// of the JVM's compilers: each case runs until its time settles, then the repetitions are timed.
public final class CpuBenchmarks {
    /// What is measured.
    public enum Kind {
        /// Matrix products: squares, and those of GPT-2 124M's linear layers for 256 tokens.
        MATMUL,
        /// A training step of GPT-2 124M: forward, backward, AdamW; 4 sequences of 64 tokens.
        STEP,
        /// Encoding a text in one thread: cold, that is with an encoder that has met no word yet, and warm.
        ENCODE,
        /// Training a vocabulary of 32,768 tokens on a text.
        TRAIN_TOKENIZER;

        /// Its name on the command line, such as `train-tokenizer`.
        public String option() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    private static final Map<String, int[]> SQUARES =
            shapes("512", 512, 512, 512, "1024", 1024, 1024, 1024, "2048", 2048, 2048, 2048);

    /// As [m, n, k]; the second matrix is transposed, as a linear layer keeps it.
    private static final Map<String, int[]> GPT2 = shapes(
            "gpt2-qkv",
            256,
            2304,
            768,
            "gpt2-attention-out",
            256,
            768,
            768,
            "gpt2-mlp-up",
            256,
            3072,
            768,
            "gpt2-mlp-down",
            256,
            768,
            3072,
            "gpt2-logits",
            256,
            50257,
            768);

    private static final int BATCH = 4;
    private static final int LENGTH = 64;
    private static final int VOCABULARY = 32768;
    private static final double WARM_UP_SECONDS = 1.5;
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final List<Kind> kinds;
    private final Optional<Integer> threads;
    private final Optional<Path> text;
    private final Optional<Path> ranks;

    public CpuBenchmarks(Optional<Kind> only, Optional<Integer> threads, Optional<Path> text, Optional<Path> ranks) {
        kinds = only.map(List::of).orElse(List.of(Kind.MATMUL, Kind.STEP));
        this.threads = threads;
        this.text = text;
        this.ranks = ranks;
    }

    /// Runs one round.
    public void run(Consumer<Measurement> each) {
        int all = threads.orElse(Runtime.getRuntime().availableProcessors());
        for (Kind kind : kinds) {
            switch (kind) {
                case MATMUL -> {
                    for (int count : threads.isPresent() || all == 1 ? new int[] {all} : new int[] {1, all}) {
                        SQUARES.forEach((name, shape) -> each.accept(matmul(name, shape, false, count)));
                        GPT2.forEach((name, shape) -> each.accept(matmul(name, shape, true, count)));
                    }
                }
                case STEP -> each.accept(step(all));
                case ENCODE -> encode(each);
                case TRAIN_TOKENIZER -> each.accept(trainTokenizer(all));
            }
        }
    }

    private static Measurement matmul(String name, int[] shape, boolean transposeB, int threads) {
        int m = shape[0];
        int n = shape[1];
        int k = shape[2];
        try (CpuExecutor executor = new CpuExecutor(threads)) {
            Graph graph = new Graph();
            Value a = graph.state("a", Shape.of(m, k), DType.F32);
            Value b = graph.state("b", transposeB ? Shape.of(n, k) : Shape.of(k, n), DType.F32);
            graph.redirect(
                    graph.add("c", new Op.MatMul(false, transposeB), a, b),
                    graph.state("result", Shape.of(m, n), DType.F32));
            Program program = executor.prepare(graph);
            randomize(executor.tensors().host("a"), 1);
            randomize(executor.tensors().host("b"), 2);
            return new Measurement("matmul " + name, threads, 2e-9 * m * n * k / seconds(program::run, 20), "GFLOP/s");
        }
    }

    private static Measurement step(int threads) {
        Model model = Model.of(new ModelConfig(
                Architecture.GPT2,
                50257,
                768,
                3072,
                12,
                12,
                12,
                64,
                1024,
                Activation.GELU_TANH,
                1e-5,
                0,
                Optional.empty(),
                0,
                true,
                0.02));
        OptimizerSettings adamW =
                new OptimizerSettings(1e-4, 0.9, 0.95, 1e-8, 0.1, 0, Optional.empty(), Optional.empty());
        try (CpuExecutor executor = new CpuExecutor(threads);
                TrainingStep step = new TrainingStep(
                        executor, model, adamW, Sharing.whole(BATCH, 1), LENGTH, Recompute.NONE, Workers.alone())) {
            TensorStore tensors = executor.tensors();
            for (int i = 0; i < model.parameters().size(); i++) {
                Initialization.fill(
                        model.parameters(),
                        i,
                        1,
                        tensors.host(model.parameters().get(i).name()));
            }
            Random random = new Random(3);
            for (int i = 0; i < BATCH * LENGTH; i++) {
                tensors.host(ModelGraphs.TOKENS).setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(50257));
                tensors.host(ModelGraphs.TARGETS).setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(50257));
                tensors.host(ModelGraphs.POSITIONS).setAtIndex(ValueLayout.JAVA_INT, i, i % LENGTH);
            }
            tensors.host(ModelGraphs.LOSS_SCALE).set(ValueLayout.JAVA_FLOAT, 0, 1f / (BATCH * LENGTH));
            long[] updates = {0};
            double seconds = seconds(
                    () -> {
                        step.forwardAndBackward().run();
                        step.gradNorm();
                        step.update(updates[0]++, 1);
                    },
                    5);
            return new Measurement("step", threads, BATCH * LENGTH / seconds, "tokens/s");
        }
    }

    private void encode(Consumer<Measurement> each) {
        byte[] utf8 = readText();
        Tokenizer tokenizer =
                Tokenizer.open(ranks.orElseThrow(() -> QuernException.data("encode needs --ranks, a tokenizer")));
        TokenBuffer tokens = new TokenBuffer();
        Encoder warm = tokenizer.encoder();
        for (boolean cold : new boolean[] {true, false}) {
            double seconds = seconds(
                    () -> {
                        tokens.clear();
                        (cold ? tokenizer.encoder() : warm).encode(utf8, 0, utf8.length, tokens);
                    },
                    5,
                    THREADS::getCurrentThreadCpuTime);
            each.accept(new Measurement("encode " + (cold ? "cold" : "warm"), 1, utf8.length / 1e6 / seconds, "MB/s"));
        }
    }

    private Measurement trainTokenizer(int threads) {
        byte[] utf8 = readText();
        int document = 20_000;
        List<byte[]> documents = IntStream.range(0, Math.ceilDiv(utf8.length, document))
                .mapToObj(i -> Arrays.copyOfRange(utf8, i * document, Math.min(utf8.length, (i + 1) * document)))
                .toList();
        BpeTrainer trainer = new BpeTrainer(SplitPattern.LLAMA3, VOCABULARY, List.of("<|endoftext|>"), threads);
        double seconds = seconds(() -> trainer.train(documents.iterator(), (_, _) -> {}), 1);
        return new Measurement("train-tokenizer", threads, utf8.length / 1e6 / seconds, "MB/s");
    }

    private byte[] readText() {
        Path file = text.orElseThrow(() -> QuernException.data("encode and train-tokenizer need --text, a file"));
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw QuernException.io("%s cannot be read".formatted(file), e);
        }
    }

    /// The median seconds of some calls, after enough to warm up.
    private static double seconds(Runnable work, int repetitions) {
        return seconds(work, repetitions, System::nanoTime);
    }

    private static double seconds(Runnable work, int repetitions, LongSupplier clock) {
        long began = System.nanoTime();
        do {
            work.run();
        } while (System.nanoTime() - began < WARM_UP_SECONDS * 1e9);
        double[] seconds = new double[repetitions];
        for (int i = 0; i < repetitions; i++) {
            long start = clock.getAsLong();
            work.run();
            seconds[i] = (clock.getAsLong() - start) / 1e9;
        }
        Arrays.sort(seconds);
        return seconds[repetitions / 2];
    }

    private static void randomize(MemorySegment memory, long seed) {
        Random random = new Random(seed);
        for (long i = 0; i < memory.byteSize() / Float.BYTES; i++) {
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, random.nextFloat() - 0.5f);
        }
    }

    private static Map<String, int[]> shapes(Object... namesAndSizes) {
        Map<String, int[]> shapes = new LinkedHashMap<>();
        for (int i = 0; i < namesAndSizes.length; i += 4) {
            shapes.put(
                    (String) namesAndSizes[i],
                    new int[] {(int) namesAndSizes[i + 1], (int) namesAndSizes[i + 2], (int) namesAndSizes[i + 3]});
        }
        return shapes;
    }
}
