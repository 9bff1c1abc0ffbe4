package org.quern.kernels.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TimingTest {
    @Test
    void medianIsTheMiddleOrTheMeanOfTwo() {
        assertThat(new Timing(List.of(3.0, 1.0, 2.0)).median()).isEqualTo(2);
        assertThat(new Timing(List.of(4.0, 1.0, 2.0, 3.0)).median()).isEqualTo(2.5);
        assertThat(new Timing(List.of(7.0)).median()).isEqualTo(7);
    }

    @Test
    void spreadLeavesTheQuartersOfFastestAndSlowestOut() {
        assertThat(new Timing(List.of(1.0, 10.0, 11.0, 12.0, 99.0)).spread()).isCloseTo(2.0 / 11, within(1e-12));
        assertThat(new Timing(List.of(5.0)).spread()).isZero();
        List<Double> hundred = IntStream.range(0, 100).mapToObj(i -> (double) i).toList();
        assertThat(new Timing(hundred).spread()).isCloseTo((74 - 25) / 49.5, within(1e-12));
    }

    @Test
    void joinsRoundsOfTwoTurns() {
        assertThat(new Timing(List.of(1.0, 5.0)).and(new Timing(List.of(3.0))).seconds())
                .containsExactly(1.0, 3.0, 5.0);
    }

    @Test
    void rejectsNoRounds() {
        assertThatThrownBy(() -> new Timing(List.of())).hasMessage("a timing needs at least 1 round: got 0");
    }

    @Test
    void theLargerOfArithmeticAndMemoryIsTheFloor() {
        Ceilings ceilings = new Ceilings(1e3, 1e6, "cuBLAS");
        KernelBenchmark product = benchmark(5e6, 1e3);
        assertThat(product.floorSeconds(ceilings)).isEqualTo(5);
        assertThat(product.isBoundByArithmetic(ceilings)).isTrue();
        KernelBenchmark sum = benchmark(1e3, 2e3);
        assertThat(sum.floorSeconds(ceilings)).isEqualTo(2);
        assertThat(sum.isBoundByArithmetic(ceilings)).isFalse();
    }

    private static KernelBenchmark benchmark(double flop, double bytes) {
        return new KernelBenchmark(
                "name", "family", flop, bytes, (_, _) -> _ -> {}, java.util.Map.of(), java.util.Map.of());
    }
}
