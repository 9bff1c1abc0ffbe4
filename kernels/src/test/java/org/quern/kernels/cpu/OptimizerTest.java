package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.quern.kernels.cpu.Tensors.assertClose;
import static org.quern.kernels.cpu.Tensors.doubles;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OptimizerTest {
    private final Tensors tensors = new Tensors(8);

    @ParameterizedTest
    @ValueSource(ints = {1, 13, 1025, 70_000, 200_003})
    void sumOfSquaresIsAccurate(int count) {
        MemorySegment x = tensors.random(count);
        MemorySegment out = tensors.empty(1);
        MemorySegment workspace = tensors.workspace(SumOfSquares.workspaceBytes(count));
        tensors.run(new SumOfSquares(x, out, workspace, count), out);
        assertClose(out, new double[] {squares(doubles(x))}, 1e-7);
    }

    @Test
    void clipFactorIsThatOfTorch() {
        MemorySegment out = tensors.empty(2);
        tensors.run(new ClipFactor(List.of(tensors.of(9), tensors.of(16)), out, 1), out);
        assertThat(doubles(out)[0]).isEqualTo(5);
        assertThat(doubles(out)[1]).isCloseTo(1 / (5 + 1e-6), within(1e-8));
        tensors.run(new ClipFactor(List.of(tensors.of(0.25)), out, 1), out);
        assertThat(doubles(out)).containsExactly(0.5, 1);
    }

    @Test
    void clipFactorPassesOnWhatIsNotFinite() {
        MemorySegment out = tensors.empty(2);
        tensors.run(new ClipFactor(List.of(tensors.of(1), tensors.of(Double.NaN)), out, 1), out);
        assertThat(doubles(out)).containsExactly(Double.NaN, Double.NaN);
        tensors.run(new ClipFactor(List.of(tensors.of(Double.POSITIVE_INFINITY)), out, 1), out);
        assertThat(doubles(out)).containsExactly(Double.POSITIVE_INFINITY, 0);
    }

    @ParameterizedTest
    @CsvSource({"1, 0.1", "13, 0", "9001, 0.01"})
    void adamWAgreesWithReferenceOverThreeSteps(int count, double weightDecay) {
        double rate = 0.003;
        double beta1 = 0.9;
        double beta2 = 0.95;
        double eps = 1e-8;
        MemorySegment parameter = tensors.random(count);
        MemorySegment moment1 = tensors.of(new double[count]);
        MemorySegment moment2 = tensors.of(new double[count]);
        double[] p = doubles(parameter);
        double[] m = new double[count];
        double[] v = new double[count];
        for (int step = 1; step <= 3; step++) {
            MemorySegment gradient = tensors.random(count);
            double correction1 = 1 - Math.pow(beta1, step);
            double correction2 = 1 - Math.pow(beta2, step);
            tensors.run(
                    new AdamW(
                            parameter,
                            gradient,
                            moment1,
                            moment2,
                            tensors.of(2, 0.5),
                            tensors.of(rate, correction1, correction2),
                            count,
                            new AdamW.Settings(beta1, beta2, eps, weightDecay)),
                    parameter,
                    moment1,
                    moment2);
            double[] g = doubles(gradient);
            for (int i = 0; i < count; i++) {
                p[i] *= 1 - rate * weightDecay;
                m[i] = beta1 * m[i] + (1 - beta1) * 0.5 * g[i];
                v[i] = beta2 * v[i] + (1 - beta2) * 0.25 * g[i] * g[i];
                p[i] -= rate * (m[i] / correction1) / (Math.sqrt(v[i] / correction2) + eps);
            }
            assertClose(parameter, p, 1e-6);
            assertClose(moment1, m, 1e-6);
            assertClose(moment2, v, 1e-6);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, false", "13, true", "9001, false"})
    void nesterovMomentumAgreesWithReference(int count, boolean inPlace) {
        MemorySegment gradient = tensors.random(count);
        MemorySegment buffer = tensors.random(count);
        double[] g = Arrays.stream(doubles(gradient)).map(x -> 0.5 * x).toArray();
        double[] b = doubles(buffer);
        MemorySegment update = inPlace ? gradient : tensors.empty(count);
        tensors.run(new NesterovMomentum(gradient, buffer, tensors.of(2, 0.5), update, count, 0.95), buffer, update);
        double[] u = new double[count];
        for (int i = 0; i < count; i++) {
            b[i] = 0.95 * b[i] + 0.05 * g[i];
            u[i] = 0.05 * g[i] + 0.95 * b[i];
        }
        assertClose(buffer, b, 1e-6);
        assertClose(update, u, 1e-6);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 13, 70_000})
    void normalizeDividesByTheNorm(int count) {
        MemorySegment x = tensors.random(count);
        double norm = Math.sqrt(squares(doubles(x)));
        double[] expected = Arrays.stream(doubles(x)).map(v -> v / (norm + 0.5)).toArray();
        MemorySegment workspace = tensors.workspace(Normalize.workspaceBytes(count));
        tensors.run(new Normalize(x, x, workspace, count, 0.5), x);
        assertClose(x, expected, 1e-6);
    }

    @Test
    void applyUpdateDecaysAndSteps() {
        int count = 9_001;
        MemorySegment parameter = tensors.random(count);
        MemorySegment update = tensors.random(count);
        double[] p = doubles(parameter);
        double[] u = doubles(update);
        tensors.run(new ApplyUpdate(parameter, update, tensors.of(0.02), count, 3, 0.1), parameter);
        for (int i = 0; i < count; i++) {
            p[i] = (1 - 0.02 * 0.1) * p[i] - 0.02 * 3 * u[i];
        }
        assertClose(parameter, p, 1e-6);
    }

    private static double squares(double[] values) {
        return Arrays.stream(values).map(v -> v * v).sum();
    }
}
