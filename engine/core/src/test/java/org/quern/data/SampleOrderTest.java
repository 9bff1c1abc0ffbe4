package org.quern.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SampleOrderTest {
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 7, 16, 17, 64, 65, 1000, 4097})
    void visitsEveryPlaceOnceAnEpoch(long samples) {
        SampleOrder order = SampleOrder.shuffled(samples, 42);
        for (int epoch = 0; epoch < 3; epoch++) {
            BitSet seen = new BitSet();
            for (long i = 0; i < samples; i++) {
                seen.set((int) order.place(epoch * samples + i));
            }
            assertThat(seen.cardinality()).isEqualTo((int) samples);
            assertThat(seen.length()).isEqualTo((int) samples);
        }
    }

    @Test
    void isTheSameWhereverOneBegins() {
        SampleOrder order = SampleOrder.shuffled(1000, 7);
        long[] inTurn = LongStream.range(0, 3000).map(order::place).toArray();
        SampleOrder again = SampleOrder.shuffled(1000, 7);
        new Random(1).ints(500, 0, 3000).forEach(i -> assertThat(again.place(i)).isEqualTo(inTurn[i]));
    }

    @Test
    void differsByEpochAndSeed() {
        long[] first = LongStream.range(0, 1000)
                .map(SampleOrder.shuffled(1000, 7)::place)
                .toArray();
        long[] nextEpoch = LongStream.range(1000, 2000)
                .map(SampleOrder.shuffled(1000, 7)::place)
                .toArray();
        long[] otherSeed = LongStream.range(0, 1000)
                .map(SampleOrder.shuffled(1000, 8)::place)
                .toArray();
        long[] sorted = LongStream.range(0, 1000).toArray();
        // Two random permutations agree in one place on average.
        assertThat(agreements(first, nextEpoch)).isLessThan(10);
        assertThat(agreements(first, otherSeed)).isLessThan(10);
        assertThat(agreements(first, sorted)).isLessThan(10);
    }

    /// Where each sample lands, over many seeds, against the uniform distribution: chi-square of a 12 x 12 table with
    /// fixed row and column sums has 121 degrees of freedom and a standard deviation of 15.6.
    @Test
    void spreadsEachSampleOverAllPlaces() {
        int samples = 12;
        int seeds = 6000;
        int[][] counts = new int[samples][samples];
        for (int seed = 0; seed < seeds; seed++) {
            SampleOrder order = SampleOrder.shuffled(samples, seed);
            for (int i = 0; i < samples; i++) {
                counts[i][(int) order.place(i)]++;
            }
        }
        double expected = (double) seeds / samples;
        double chiSquare = Arrays.stream(counts)
                .flatMapToInt(Arrays::stream)
                .mapToDouble(count -> (count - expected) * (count - expected) / expected)
                .sum();
        assertThat(chiSquare).isBetween(121 - 4 * 15.6, 121 + 4 * 15.6);
    }

    /// Neighbours in the order should not be neighbours in the corpus: the distance of two random places of 4097 is a
    /// third of 4097 on average.
    @Test
    void separatesNeighbours() {
        SampleOrder order = SampleOrder.shuffled(4097, 3);
        double distance = LongStream.range(1, 4097)
                .map(i -> Math.abs(order.place(i) - order.place(i - 1)))
                .average()
                .orElseThrow();
        assertThat(distance).isBetween(0.95 * 4097 / 3, 1.05 * 4097 / 3);
    }

    /// Pinned: a changed order would break every resumed run.
    @Test
    void staysAsItIs() {
        assertThat(LongStream.range(0, 10).map(SampleOrder.shuffled(10, 42)::place))
                .containsExactly(6L, 3L, 7L, 5L, 2L, 1L, 8L, 4L, 9L, 0L);
        assertThat(SampleOrder.shuffled(1L << 40, 42).place(123_456_789_012L)).isEqualTo(207_495_535_974L);
    }

    @Test
    void sequentialStartsOver() {
        assertThat(LongStream.range(0, 7).map(SampleOrder.sequential(3)::place))
                .containsExactly(0L, 1L, 2L, 0L, 1L, 2L, 0L);
    }

    @Test
    void rejectsAnEmptyCorpus() {
        assertThatThrownBy(() -> SampleOrder.shuffled(0, 1)).hasMessage("samples must be in 1..2^62: got 0");
    }

    private static long agreements(long[] a, long[] b) {
        return LongStream.range(0, a.length)
                .filter(i -> a[(int) i] == b[(int) i])
                .count();
    }
}
