package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class VectorMathTest {
    @Test
    void expIsWithinTwoUlpsFromSmallestToLargest() {
        int count = 1 << 16;
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = -87.32f + i * (175.34f / count);
        }
        for (int i = 0; i < count; i += Native.LANES) {
            float[] actual =
                    VectorMath.exp(FloatVector.fromArray(Native.SPECIES, x, i)).toArray();
            for (int lane = 0; lane < Native.LANES; lane++) {
                double expected = Math.exp(x[i + lane]);
                double error = Math.abs(actual[lane] - expected) / Math.ulp((float) expected);
                if (error > 2) {
                    fail("exp(%s) is off by %s ulp", x[i + lane], error);
                }
            }
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
        for (float x = -80; x < 80; x += 0.137f) {
            double expected = 1 / (1 + Math.exp(-x));
            float actual =
                    VectorMath.sigmoid(FloatVector.broadcast(Native.SPECIES, x)).lane(0);
            assertThat(Math.abs(actual - expected)).as("sigmoid(%s)", x).isLessThanOrEqualTo(4e-7 * expected);
            assertThat(Math.abs(VectorMath.sigmoid(x) - expected)).isLessThanOrEqualTo(1e-7 * expected);
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
