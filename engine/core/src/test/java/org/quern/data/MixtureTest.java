package org.quern.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.data.Mixture.Phase;

class MixtureTest {
    static List<List<Double>> weights() {
        List<List<Double>> all = new ArrayList<>(List.of(
                List.of(1.0),
                List.of(0.5, 0.5),
                List.of(0.7, 0.3),
                List.of(3.0, 1.0, 1.0),
                List.of(1e-3, 1 - 1e-3),
                List.of(0.0, 1.0, 0.0),
                List.of(1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0),
                List.of(0.333333333333, 0.123456789012, 0.543209877656),
                Collections.nCopies(37, 1.0)));
        Random random = new Random(5);
        for (int i = 0; i < 12; i++) {
            all.add(DoubleStream.generate(() -> Math.pow(random.nextDouble(), 4))
                    .limit(2 + random.nextInt(30))
                    .boxed()
                    .toList());
        }
        return all;
    }

    /// Counts one by one against exact parts: the reciprocals of Fibonacci's numbers sum to 3.36, half of which is
    /// the most that a source can be away.
    @ParameterizedTest
    @MethodSource("weights")
    void isNeverTwoSamplesAwayFromTheProportions(List<Double> weights) {
        Mixture mixture = mixture(3, phase(0, 0, weights));
        double sum = weights.stream().mapToDouble(Double::doubleValue).sum();
        long[] counts = new long[weights.size()];
        for (long sample = 0; sample < 20_000; sample++) {
            int source = mixture.source(sample);
            assertThat(weights.get(source)).isPositive();
            assertThat(mixture.count(source, sample)).isEqualTo(counts[source]);
            counts[source]++;
            for (int i = 0; i < counts.length; i++) {
                double exact = (sample + 1) * weights.get(i) / sum;
                assertThat(Math.abs(counts[i] - exact)).isLessThan(1.69);
            }
        }
        for (int i = 0; i < counts.length; i++) {
            assertThat(mixture.count(i, 20_000)).isEqualTo(counts[i]);
        }
    }

    /// Two sources are at most half a sample away: the order is that of rounding.
    @Test
    void mixesTwoSourcesAsRoundingDoes() {
        Mixture mixture = mixture(1, phase(0, 0, List.of(0.7, 0.3)));
        for (long n = 0; n < 1000; n++) {
            assertThat(mixture.count(0, n)).isEqualTo((7 * n + 5) / 10);
        }
        assertThat(LongStream.range(0, 10).mapToInt(mixture::source)).containsExactly(0, 1, 0, 0, 0, 1, 0, 0, 1, 0);
    }

    /// Phases against a plain sum over the steps, in decimal arithmetic: what a change adds to the rounding is
    /// bounded, too, however many levels it has.
    @Test
    void followsPhasesStepByStep() {
        Random random = new Random(6);
        for (int round = 0; round < 30; round++) {
            int sources = 2 + random.nextInt(5);
            int globalBatch = 1 + random.nextInt(9);
            List<Phase> phases = randomPhases(random, sources);
            Mixture mixture = new Mixture(globalBatch, phases);
            BigDecimal[] exact = new BigDecimal[sources];
            Arrays.fill(exact, BigDecimal.ZERO);
            long[] counts = new long[sources];
            long steps = phases.getLast().after() + phases.getLast().over() + 50;
            for (long step = 0; step < steps; step++) {
                double[] shares = shares(phases, step);
                for (int source = 0; source < sources; source++) {
                    exact[source] = exact[source].add(
                            BigDecimal.valueOf(shares[source]).multiply(BigDecimal.valueOf(globalBatch)),
                            MathContext.DECIMAL128);
                }
                for (long sample = step * globalBatch; sample < (step + 1) * globalBatch; sample++) {
                    int source = mixture.source(sample);
                    assertThat(mixture.count(source, sample)).isEqualTo(counts[source]);
                    counts[source]++;
                }
                for (int source = 0; source < sources; source++) {
                    assertThat(mixture.count(source, (step + 1) * globalBatch)).isEqualTo(counts[source]);
                    // A level of a long change has the mean of its steps: up to a few steps' worth may come earlier.
                    assertThat(Math.abs(counts[source] - exact[source].doubleValue()))
                            .as("%s, step %d", phases, step)
                            .isLessThan(1.5);
                }
            }
        }
    }

    /// The weights of a step as the sentence has them: from the weights before to the new ones in a straight line.
    private static double[] shares(List<Phase> phases, long step) {
        double[] now = normalized(phases.getFirst().weights());
        for (Phase phase : phases.subList(1, phases.size())) {
            double[] next = normalized(phase.weights());
            double way = phase.over() == 0
                    ? step >= phase.after() ? 1 : 0
                    : Math.clamp((step + 0.5 - phase.after()) / phase.over(), 0, 1);
            double[] from = now;
            now = IntStream.range(0, next.length)
                    .mapToDouble(i -> from[i] + way * (next[i] - from[i]))
                    .toArray();
        }
        return now;
    }

    private static double[] normalized(List<Double> weights) {
        double sum = weights.stream().mapToDouble(Double::doubleValue).sum();
        return weights.stream().mapToDouble(weight -> weight / sum).toArray();
    }

    private static List<Phase> randomPhases(Random random, int sources) {
        List<Phase> phases = new ArrayList<>();
        phases.add(phase(0, 0, randomWeights(random, sources)));
        long free = random.nextInt(40);
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            long over = random.nextBoolean() ? 0 : random.nextInt(i == 1 ? 700 : 60);
            phases.add(phase(free, over, randomWeights(random, sources)));
            free += over + random.nextInt(2) * random.nextInt(50);
        }
        return phases;
    }

    private static List<Double> randomWeights(Random random, int sources) {
        List<Double> weights = new ArrayList<>();
        for (int i = 0; i < sources; i++) {
            weights.add(random.nextInt(4) == 0 && i > 0 ? 0.0 : Math.pow(random.nextDouble(), 2) + 0.01);
        }
        return weights;
    }

    @Test
    void isTheSameWhateverComesLater() {
        List<Double> first = List.of(0.6, 0.3, 0.1);
        Mixture constant = mixture(4, phase(0, 0, first));
        Mixture annealed = mixture(4, phase(0, 0, first), phase(100, 40, List.of(0.0, 0.1, 0.9)));
        for (long sample = 0; sample < 400; sample++) {
            assertThat(annealed.source(sample)).isEqualTo(constant.source(sample));
            assertThat(annealed.count(1, sample)).isEqualTo(constant.count(1, sample));
        }
        assertThat(annealed.share(2, 99)).isEqualTo(0.1);
        assertThat(annealed.share(2, 120)).isBetween(0.5, 0.52);
        assertThat(annealed.share(2, 140)).isEqualTo(0.9);
        assertThat(LongStream.range(560, 3000).mapToInt(annealed::source)).doesNotContain(0);
    }

    /// After 2^58 samples, where products of counts and weights would overflow.
    @Test
    void countsSamplesOfVeryLongRuns() {
        long far = 1L << 58;
        Mixture mixture = mixture(1, phase(0, 0, List.of(0.7, 0.2, 0.1)), phase(far, 0, List.of(0.1, 0.2, 0.7)));
        BigDecimal part = BigDecimal.valueOf(far).multiply(new BigDecimal("0.7"));
        assertThat(BigDecimal.valueOf(mixture.count(0, far)).subtract(part).abs())
                .isLessThan(new BigDecimal(2));
        for (long base : new long[] {far - 1000, far, 3 * far}) {
            long[] counts = new long[3];
            for (long sample = base; sample < base + 1000; sample++) {
                int source = mixture.source(sample);
                assertThat(mixture.count(source, sample)).isEqualTo(mixture.count(source, base) + counts[source]);
                counts[source]++;
            }
            assertThat(counts[base < far ? 0 : 2]).isBetween(698L, 702L);
        }
    }

    /// Pinned: a changed order would break every resumed run.
    @Test
    void staysAsItIs() {
        Mixture mixture = mixture(2, phase(0, 0, List.of(0.5, 0.3, 0.2)), phase(6, 4, List.of(0.1, 0.1, 0.8)));
        assertThat(LongStream.range(0, 30).mapToInt(mixture::source))
                .containsExactly(
                        1, 0, 2, 0, 1, 0, 2, 0, 1, 0, 1, 0, 2, 0, 2, 0, 1, 2, 2, 2, 0, 2, 2, 1, 2, 2, 2, 2, 2, 2);
        assertThat(Mixture.seedOfSource(42, 1)).isEqualTo(-676328415407581342L);
    }

    private static Phase phase(long after, long over, List<Double> weights) {
        return new Phase(after, over, weights);
    }

    private static Mixture mixture(int globalBatch, Phase... phases) {
        return new Mixture(globalBatch, List.of(phases));
    }
}
