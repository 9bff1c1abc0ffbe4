package org.quern.kernels.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class GradientResultTest {
    private static GradientResult result(float... values) {
        return new GradientResult(2, 4, values);
    }

    @Test
    void aDifferenceIsMoreThanRoundings() {
        GradientResult expected = result(100, 100, 0.01f, -0.01f, 0, 0, 1, 1e-3f);
        assertThat(expected.difference(result(105, 96, 0.0105f, -0.0097f, 5e-5f, -5e-5f, 0.96f, 0.02f)))
                .isNull();
        assertThat(expected.difference(result(100, 100, 0.01f, 0, 0, 0, 1, 1e-3f)))
                .isEqualTo("gives 0.0 instead of -0.01 in column 3");
        assertThat(expected.difference(result(100, 100, 0.01f, -0.01f, 1e-4f, 0, 1, 1e-3f)))
                .isEqualTo("gives 1.0E-4 instead of 0.0 in column 0");
        assertThat(expected.difference(result(Float.NaN, 100, 0.01f, -0.01f, 0, 0, 1, 1e-3f)))
                .contains("NaN");
    }
}
