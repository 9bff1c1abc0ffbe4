package org.quern.generate;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.checkpoint.NamedTensor;
import org.quern.checkpoint.Safetensors;

class SamplerTest {
    private static final int VOCAB = 53;

    private final Arena arena = Arena.ofAuto();

    @Test
    void leavesWhatTransformersLeaves() {
        Map<String, NamedTensor> golden =
                Safetensors.read(Path.of("src/test/resources/golden/sampler.safetensors"), arena).stream()
                        .collect(Collectors.toMap(NamedTensor::name, Function.identity()));
        MemorySegment settings = golden.get("settings").data();
        MemorySegment probabilities = golden.get("probabilities").data();
        long cases = golden.get("settings").shape().getFirst();
        for (int i = 0; i < cases; i++) {
            Sampler sampler = new Sampler(
                    new Sampler.Settings(
                            settings.get(JAVA_DOUBLE_UNALIGNED, 32L * i),
                            (int) settings.get(JAVA_DOUBLE_UNALIGNED, 32L * i + 8),
                            settings.get(JAVA_DOUBLE_UNALIGNED, 32L * i + 16),
                            settings.get(JAVA_DOUBLE_UNALIGNED, 32L * i + 24),
                            0),
                    VOCAB);
            for (int row = 0; row < 4; row++) {
                MemorySegment logits = golden.get("logits").data().asSlice(4L * VOCAB * row, 4 * VOCAB);
                float max = Float.NEGATIVE_INFINITY;
                for (int id = 0; id < VOCAB; id++) {
                    max = Math.max(max, logits.get(JAVA_FLOAT_UNALIGNED, 4L * id));
                }
                sampler.choose(logits, max);
                double[] found = sampler.probabilities();
                for (int id = 0; id < VOCAB; id++) {
                    double expected = probabilities.get(JAVA_FLOAT_UNALIGNED, 4L * ((4L * i + row) * VOCAB + id));
                    String where = "case %d, row %d, token %d".formatted(i, row, id);
                    assertThat(found[id]).as(where).isCloseTo(expected, within(1e-6));
                    assertThat(found[id] > 0).as(where).isEqualTo(expected > 0);
                }
            }
        }
    }

    @Test
    void drawsAsOftenAsTheProbabilitiesSay() {
        MemorySegment logits = logits(0, 1, 2, Float.NEGATIVE_INFINITY, -1);
        double[] expected = IntStream.range(0, 5)
                .mapToDouble(id -> Math.exp(logits.get(JAVA_FLOAT_UNALIGNED, 4L * id) / 1.5))
                .toArray();
        double total = IntStream.range(0, 5).mapToDouble(id -> expected[id]).sum();
        Sampler sampler = new Sampler(new Sampler.Settings(1.5, 0, 1, 0, 42), 5);
        int[] counts = new int[5];
        int draws = 100_000;
        for (int i = 0; i < draws; i++) {
            counts[sampler.sample(logits, i % 10, i / 10)]++;
        }
        for (int id = 0; id < 5; id++) {
            double probability = expected[id] / total;
            double deviation = Math.sqrt(probability * (1 - probability) / draws);
            assertThat((double) counts[id] / draws).isCloseTo(probability, within(4 * deviation));
        }
    }

    @Test
    void dependsOnSeedSequenceAndPositionAlone() {
        SplittableRandom random = new SplittableRandom(1);
        float[] values = new float[207];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextFloat();
        }
        MemorySegment logits = logits(values);
        Sampler.Settings settings = new Sampler.Settings(1, 50, 0.9, 0.01, 7);
        Sampler sampler = new Sampler(settings, 207);
        int[] forwards = IntStream.range(0, 64)
                .map(i -> sampler.sample(logits, i % 4, i / 4))
                .toArray();
        int[] backwards = IntStream.range(0, 64)
                .map(i -> 63 - i)
                .map(i -> new Sampler(settings, 207).sample(logits, i % 4, i / 4))
                .toArray();

        assertThat(forwards)
                .isEqualTo(IntStream.range(0, 64).map(i -> backwards[63 - i]).toArray());
        assertThat(IntStream.of(forwards).distinct().count()).isGreaterThan(20);
    }

    @Test
    void greedyTakesTheFirstOfEquals() {
        Sampler greedy = new Sampler(new Sampler.Settings(0, 0, 1, 0, 1), 5);

        assertThat(greedy.sample(logits(-3, 2, 1, 2, 0), 0, 0)).isEqualTo(1);
        assertThat(greedy.sample(logits(-3, -2, -3, -2, -4), 0, 0)).isEqualTo(1);
        assertThat(greedy.sample(logits(0, -0f, 0, 0, 0), 0, 0)).isZero();
    }

    @Test
    void refusesLogitsThatAreNoNumbers() {
        float infinity = Float.POSITIVE_INFINITY;
        for (MemorySegment logits : Stream.of(
                        logits(0, 1, Float.NaN),
                        logits(Float.NaN, 0, 1),
                        logits(0, infinity, 0),
                        logits(-infinity, -infinity, -infinity))
                .toList()) {
            for (double temperature : new double[] {0, 1}) {
                Sampler sampler = new Sampler(new Sampler.Settings(temperature, 2, 0.5, 0, 1), 3);
                assertThatThrownBy(() -> sampler.sample(logits, 0, 11))
                        .isInstanceOf(QuernException.class)
                        .hasMessageContaining("token 11 is not finite");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "-1, 0, 1, 0, temperature must be at least 0: got -1.0",
        "NaN, 0, 1, 0, temperature must be at least 0: got NaN",
        "Infinity, 0, 1, 0, temperature must be at least 0: got Infinity",
        "1, -1, 1, 0, top_k must be at least 0: got -1",
        "1, 0, 0, 0, top_p must be above 0 and at most 1: got 0.0",
        "1, 0, 1.1, 0, top_p must be above 0 and at most 1: got 1.1",
        "1, 0, 1, -0.1, min_p must be from 0 to 1: got -0.1",
        "1, 0, 1, 2, min_p must be from 0 to 1: got 2.0",
    })
    void refusesSettingsOutOfRange(double temperature, int topK, double topP, double minP, String message) {
        assertThatThrownBy(() -> new Sampler.Settings(temperature, topK, topP, minP, 0))
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
                .hasMessage(message);
    }

    private MemorySegment logits(float... values) {
        return arena.allocateFrom(JAVA_FLOAT_UNALIGNED, values);
    }
}
