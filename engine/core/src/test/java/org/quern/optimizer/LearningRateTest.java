package org.quern.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.optimizer.LearningRate.Shape;

class LearningRateTest {

    @ParameterizedTest
    @EnumSource(Shape.class)
    void warmsUpOnALineAndThenStartsAtThePeak(Shape shape) {
        LearningRate rate = new LearningRate(shape, 100, 10, 20, 0.1);
        assertThat(rate.fraction(0)).isEqualTo(0.1);
        assertThat(rate.fraction(4)).isEqualTo(0.5);
        assertThat(rate.fraction(9)).isEqualTo(1);
        assertThat(rate.fraction(10)).isEqualTo(1);
    }

    @ParameterizedTest
    @EnumSource(value = Shape.class, names = "CONSTANT", mode = EnumSource.Mode.EXCLUDE)
    void endsAtTheFinalFraction(Shape shape) {
        assertThat(new LearningRate(shape, 100, 10, 20, 0.1).fraction(99)).isCloseTo(0.1, within(1e-12));
    }

    @Test
    void isHalfWayDownInTheMiddle() {
        assertThat(new LearningRate(Shape.COSINE, 101, 0, 0, 0).fraction(50)).isCloseTo(0.5, within(1e-12));
        assertThat(new LearningRate(Shape.LINEAR, 101, 0, 0, 0.2).fraction(50)).isCloseTo(0.6, within(1e-12));
    }

    @Test
    void staysStableUntilTheDecay() {
        LearningRate rate = new LearningRate(Shape.WSD, 101, 10, 21, 0);
        assertThat(rate.fraction(79)).isEqualTo(1);
        assertThat(rate.fraction(80)).isEqualTo(1);
        assertThat(rate.fraction(90)).isCloseTo(0.5, within(1e-12));
        assertThat(rate.fraction(100)).isEqualTo(0);
    }

    @Test
    void takesRunsOfOneStep() {
        assertThat(new LearningRate(Shape.COSINE, 1, 0, 0, 0.1).fraction(0)).isEqualTo(0.1);
        assertThat(new LearningRate(Shape.CONSTANT, 1, 0, 0, 0.1).fraction(0)).isEqualTo(1);
    }
}
