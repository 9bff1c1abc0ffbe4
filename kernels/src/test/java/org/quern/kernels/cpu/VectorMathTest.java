package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class VectorMathTest {
    @Test
    void expIsWithinTwoUlpsFromSmallestToLargest() {
        for (float x = -87.32f; x < 88.02f; x += 0.00093f) {
            double expected = Math.exp(x);
            assertThat(Math.abs(exp(x) - expected))
                    .as("exp(%s)", x)
                    .isLessThanOrEqualTo(2 * Math.ulp((float) expected));
        }
    }

    @Test
    void expKnowsItsLimits() {
        assertThat(exp(0f)).isEqualTo(1f);
        assertThat(exp(-0f)).isEqualTo(1f);
        assertThat(exp(Float.MIN_VALUE)).isEqualTo(1f);
        assertThat(exp(-87.34f)).isEqualTo(0f);
        assertThat(exp(-1e30f)).isEqualTo(0f);
        assertThat(exp(-Float.MAX_VALUE)).isEqualTo(0f);
        assertThat(exp(Float.NEGATIVE_INFINITY)).isEqualTo(0f);
        assertThat(exp(Float.NaN)).isNaN();
    }

    @Test
    void sigmoidIsAccurateInBothTails() {
        for (float x = -80; x < 80; x += 0.0137f) {
            double expected = 1 / (1 + Math.exp(-x));
            float actual =
                    VectorMath.sigmoid(FloatVector.broadcast(Native.SPECIES, x)).lane(0);
            assertThat(Math.abs(actual - expected)).as("sigmoid(%s)", x).isLessThanOrEqualTo(4e-7 * expected);
        }
        assertThat(VectorMath.sigmoid(FloatVector.broadcast(Native.SPECIES, -200f))
                        .lane(0))
                .isBetween(0f, 1e-38f);
        assertThat(VectorMath.sigmoid(FloatVector.broadcast(Native.SPECIES, 200f))
                        .lane(0))
                .isEqualTo(1f);
    }

    @Test
    void sumOfLanesIsThatOfHalvesOntoHalves() {
        float[] values = new float[Native.LANES];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) Math.sin(i) * (1 << i % 13);
        }
        FloatVector vector = FloatVector.fromArray(Native.SPECIES, values, 0);
        for (int half = values.length / 2; half > 0; half /= 2) {
            for (int i = 0; i < half; i++) {
                values[i] += values[i + half];
            }
        }
        assertThat(Rows.sum(vector)).isEqualTo(values[0]);
    }

    private static float exp(float x) {
        FloatVector result = VectorMath.exp(FloatVector.broadcast(Native.SPECIES, x));
        assertThat(Float.compare(result.lane(Native.LANES - 1), result.lane(0))).isZero();
        return result.lane(0);
    }
}
