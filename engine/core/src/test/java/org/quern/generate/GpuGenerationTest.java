package org.quern.generate;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.executor.CpuExecutor;
import org.quern.executor.Executor;
import org.quern.executor.GpuExecutor;
import org.quern.gpu.EmulatedGpu;
import org.quern.graph.DType;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.model.Initialization;
import org.quern.model.Model;
import org.quern.model.ModelConfig;
import org.quern.model.ModelConfig.Activation;
import org.quern.model.ModelConfig.Architecture;
import org.quern.model.ModelGraphs;

/// The decoder on the emulated GPU, with bf16 activations and a bf16 cache, beside the CPU's in fp32.
class GpuGenerationTest {
    private static final int VOCAB = 307;
    private static final int CONTEXT = 150;

    /// How far a logit may be from the CPU's, as a share of the logits' root mean square.
    ///
    /// A logit comes through some 30 roundings to 8 significant bits: weights, products, norms, attention, sums of
    /// 2 layers. Each is off by 0.16 % in the mean, so that independent errors add up to sqrt(30) 0.16 % = 0.9 %
    /// of the logits' root mean square. The farthest of hundreds of logits, in a row where a sum cancels, has
    /// several times that.
    private static final double BOUND = 0.08;

    /// The models: of each architecture one, and one with grouped heads that sees the last tokens only.
    enum Case {
        GPT2(Architecture.GPT2, Activation.GELU_TANH, 4, 0),
        LLAMA(Architecture.LLAMA, Activation.SILU, 2, 0),
        WINDOW(Architecture.LLAMA, Activation.SILU, 1, 21);

        final Model model;

        Case(Architecture architecture, Activation activation, int keyValueHeads, int window) {
            model = Model.of(new ModelConfig(
                    architecture,
                    VOCAB,
                    64,
                    96,
                    2,
                    4,
                    keyValueHeads,
                    16,
                    CONTEXT,
                    activation,
                    1e-5,
                    10000,
                    Optional.empty(),
                    window,
                    architecture == Architecture.GPT2,
                    // Large enough that a token depends on all the ones before it.
                    0.1));
        }
    }

    /// A decoder and what it decodes with.
    private record Device(Executor executor, GraphDecoder decoder) implements AutoCloseable {
        static Device cpu(Model model, int batch) {
            return of(new CpuExecutor(1), model, batch);
        }

        static Device gpu(Model model, int batch) {
            EmulatedGpu gpu = new EmulatedGpu();
            return of(new GpuExecutor(gpu, LoadedKernels.asText(gpu)), model, batch);
        }

        private static Device of(Executor executor, Model model, int batch) {
            GraphDecoder decoder = new GraphDecoder(executor, model, batch, CONTEXT);
            for (int i = 0; i < model.parameters().size(); i++) {
                String name = model.parameters().get(i).name();
                Initialization.fill(model.parameters(), i, 5, executor.tensors().host(name));
                executor.tensors().push(name);
            }
            return new Device(executor, decoder);
        }

        @Override
        public void close() {
            decoder.close();
            executor.close();
        }
    }

    /// Both read prompts that end before, at and after a piece's end, and go on with the CPU's likeliest tokens.
    @ParameterizedTest
    @EnumSource
    void likeliestTokensAreThoseOfTheCpu(Case tested) {
        Comparison comparison = new Comparison();
        try (Device cpu = Device.cpu(tested.model, 1);
                Device gpu = Device.gpu(tested.model, 1)) {
            for (int length : new int[] {1, 63, 64, 65, 129, CONTEXT}) {
                int[] prompt = new Random(length).ints(length, 0, VOCAB).toArray();
                MemorySegment expected = cpu.decoder.prefill(prompt);
                comparison.compare(gpu.decoder.prefill(prompt), expected);
                for (int i = length; i < Math.min(CONTEXT, length + 4); i++) {
                    int[] next = {likeliest(expected, 0)};
                    expected = cpu.decoder.decode(next);
                    comparison.compare(gpu.decoder.decode(next), expected);
                }
            }
        }
        comparison.assertManyWereDecided();
    }

    /// Sequences of a batch go apart after the prompt, over the end of a piece.
    @ParameterizedTest
    @EnumSource(names = {"GPT2", "LLAMA"})
    void decodesABatch(Case tested) {
        int batch = 3;
        Comparison comparison = new Comparison();
        try (Device cpu = Device.cpu(tested.model, batch);
                Device gpu = Device.gpu(tested.model, batch)) {
            int[] prompt = new Random(1).ints(60, 0, VOCAB).toArray();
            comparison.compare(gpu.decoder.prefill(prompt), cpu.decoder.prefill(prompt));
            int[] next = {3, 77, 306};
            for (int i = 0; i < 6; i++) {
                MemorySegment expected = cpu.decoder.decode(next);
                comparison.compare(gpu.decoder.decode(next), expected);
                for (int sequence = 0; sequence < batch; sequence++) {
                    next[sequence] = likeliest(expected, sequence);
                }
            }
            assertThat(Arrays.stream(next).distinct().count()).isGreaterThan(1);
        }
        comparison.assertManyWereDecided();
    }

    @Test
    void drawsTheSameTokensWithTheSameSeed() {
        try (Device gpu = Device.gpu(Case.LLAMA.model, 1)) {
            List<Integer> first = draw(gpu.decoder, 7);
            assertThat(draw(gpu.decoder, 7)).isEqualTo(first);
            assertThat(draw(gpu.decoder, 8)).isNotEqualTo(first);
            try (Device other = Device.gpu(Case.LLAMA.model, 1)) {
                assertThat(draw(other.decoder, 7)).isEqualTo(first);
            }
        }
    }

    private static List<Integer> draw(Decoder decoder, long seed) {
        Sampler sampler = new Sampler(new Sampler.Settings(1, 40, 0.95, 0.01, seed), VOCAB);
        List<Integer> drawn = new ArrayList<>();
        MemorySegment logits = decoder.prefill(new int[] {11, 3, 8});
        for (int position = 3; position < 12; position++) {
            drawn.add(sampler.sample(logits, 0, position));
            logits = decoder.decode(new int[] {drawn.getLast()});
        }
        return drawn;
    }

    @Test
    void keepsKeysAndValuesInBf16() {
        try (Device gpu = Device.gpu(Case.LLAMA.model, 2)) {
            assertThat(gpu.executor.tensors().names())
                    .filteredOn(ModelGraphs::isCache)
                    .hasSize(4)
                    .allSatisfy(name -> assertThat(
                                    gpu.executor.tensors().value(name).type())
                            .isEqualTo(DType.BF16));
        }
    }

    /// Rows of logits, and how many of them leave no doubt about the likeliest token.
    private static final class Comparison {
        private int rows;
        private int decided;

        /// Compares as many rows as the expected logits have.
        void compare(MemorySegment actual, MemorySegment expected) {
            long count = expected.byteSize() / Float.BYTES / VOCAB;
            for (int row = 0; row < count; row++) {
                compare(actual, expected, row);
            }
        }

        private void compare(MemorySegment actual, MemorySegment expected, int row) {
            double squares = 0;
            double farthest = 0;
            int best = likeliest(expected, row);
            double second = Double.NEGATIVE_INFINITY;
            for (int id = 0; id < VOCAB; id++) {
                double logit = logit(expected, row, id);
                squares += logit * logit;
                farthest = Math.max(farthest, Math.abs(logit(actual, row, id) - logit));
                second = id == best ? second : Math.max(second, logit);
            }
            double bound = BOUND * Math.sqrt(squares / VOCAB);
            assertThat(farthest).as("distance from the CPU's logits").isLessThan(bound);
            rows++;
            if (logit(expected, row, best) - second > 2 * bound) {
                decided++;
                assertThat(likeliest(actual, row)).as("likeliest token").isEqualTo(best);
            }
        }

        void assertManyWereDecided() {
            assertThat(decided).isGreaterThan(rows / 3);
        }
    }

    private static int likeliest(MemorySegment logits, int row) {
        int best = 0;
        for (int id = 1; id < VOCAB; id++) {
            best = logit(logits, row, id) > logit(logits, row, best) ? id : best;
        }
        return best;
    }

    private static double logit(MemorySegment logits, int row, int id) {
        return logits.getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * VOCAB + id);
    }
}
