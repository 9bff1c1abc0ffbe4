package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Tensors.assertClose;
import static org.quern.kernels.cpu.Tensors.doubles;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NormTest {
    private static final double EPS = 1e-5;
    private final Tensors tensors = new Tensors(1);

    @ParameterizedTest
    @CsvSource({"1, 1", "3, 13", "130, 64", "33, 207", "20, 768", "700, 5"})
    void rmsNormAgreesWithReference(int rows, int width) {
        MemorySegment x = tensors.random((long) rows * width);
        MemorySegment weight = tensors.random(width);
        MemorySegment y = tensors.empty((long) rows * width);
        MemorySegment rstd = tensors.empty(rows);
        tensors.run(new RmsNorm.Forward(x, weight, y, rstd, rows, width, EPS), y, rstd);
        assertClose(y, Reference.rmsNorm(doubles(x), doubles(weight), rows, EPS), 2e-6);
    }

    @ParameterizedTest
    @CsvSource({
        "1, 2, false, false",
        "3, 13, true, false",
        "130, 64, false, true",
        "33, 207, true, true",
        "20, 768, false, false",
        "700, 5, true, true"
    })
    void rmsNormGradientAgreesWithDifferences(int rows, int width, boolean accumulateX, boolean accumulateWeight) {
        MemorySegment x = tensors.random((long) rows * width);
        MemorySegment weight = tensors.random(width);
        MemorySegment y = tensors.empty((long) rows * width);
        MemorySegment rstd = tensors.empty(rows);
        tensors.run(new RmsNorm.Forward(x, weight, y, rstd, rows, width, EPS), y, rstd);

        MemorySegment dy = tensors.random((long) rows * width);
        MemorySegment dx = accumulateX ? tensors.random((long) rows * width) : tensors.empty((long) rows * width);
        MemorySegment dWeight = accumulateWeight ? tensors.random(width) : tensors.empty(width);
        double[] baseX = base(dx, accumulateX);
        double[] baseWeight = base(dWeight, accumulateWeight);
        MemorySegment workspace = tensors.workspace(RmsNorm.Backward.workspaceBytes(rows, width));
        tensors.run(
                new RmsNorm.Backward(
                        x, weight, rstd, dy, dx, accumulateX, dWeight, accumulateWeight, workspace, rows, width),
                dx,
                dWeight);

        double[] xs = doubles(x);
        double[] weights = doubles(weight);
        tensors.assertGradient(dx, baseX, v -> Reference.rmsNorm(v, weights, rows, EPS), xs, doubles(dy), 1e-5);
        tensors.assertGradient(
                dWeight, baseWeight, v -> Reference.rmsNorm(xs, v, rows, EPS), weights, doubles(dy), 1e-5);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "3, 13", "130, 64", "33, 207", "20, 768", "700, 5"})
    void layerNormAgreesWithReference(int rows, int width) {
        MemorySegment x = tensors.random((long) rows * width);
        MemorySegment weight = tensors.random(width);
        MemorySegment bias = tensors.random(width);
        MemorySegment y = tensors.empty((long) rows * width);
        MemorySegment mean = tensors.empty(rows);
        MemorySegment rstd = tensors.empty(rows);
        tensors.run(new LayerNorm.Forward(x, weight, bias, y, mean, rstd, rows, width, EPS), y, mean, rstd);
        assertClose(y, Reference.layerNorm(doubles(x), doubles(weight), doubles(bias), rows, EPS), 5e-6);
    }

    @ParameterizedTest
    @CsvSource({
        "1, 2, false, false, false",
        "3, 13, true, false, true",
        "130, 64, false, true, false",
        "33, 207, true, true, true",
        "20, 768, false, false, false",
        "700, 5, true, false, true"
    })
    void layerNormGradientAgreesWithDifferences(
            int rows, int width, boolean accumulateX, boolean accumulateWeight, boolean accumulateBias) {
        MemorySegment x = tensors.random((long) rows * width);
        MemorySegment weight = tensors.random(width);
        MemorySegment bias = tensors.random(width);
        MemorySegment y = tensors.empty((long) rows * width);
        MemorySegment mean = tensors.empty(rows);
        MemorySegment rstd = tensors.empty(rows);
        tensors.run(new LayerNorm.Forward(x, weight, bias, y, mean, rstd, rows, width, EPS), y, mean, rstd);

        MemorySegment dy = tensors.random((long) rows * width);
        MemorySegment dx = accumulateX ? tensors.random((long) rows * width) : tensors.empty((long) rows * width);
        MemorySegment dWeight = accumulateWeight ? tensors.random(width) : tensors.empty(width);
        MemorySegment dBias = accumulateBias ? tensors.random(width) : tensors.empty(width);
        double[] baseX = base(dx, accumulateX);
        double[] baseWeight = base(dWeight, accumulateWeight);
        double[] baseBias = base(dBias, accumulateBias);
        MemorySegment workspace = tensors.workspace(LayerNorm.Backward.workspaceBytes(rows, width));
        tensors.run(
                new LayerNorm.Backward(
                        x,
                        weight,
                        mean,
                        rstd,
                        dy,
                        dx,
                        accumulateX,
                        dWeight,
                        accumulateWeight,
                        dBias,
                        accumulateBias,
                        workspace,
                        rows,
                        width),
                dx,
                dWeight,
                dBias);

        double[] xs = doubles(x);
        double[] weights = doubles(weight);
        double[] biases = doubles(bias);
        double[] dys = doubles(dy);
        tensors.assertGradient(dx, baseX, v -> Reference.layerNorm(v, weights, biases, rows, EPS), xs, dys, 3e-5);
        tensors.assertGradient(
                dWeight, baseWeight, v -> Reference.layerNorm(xs, v, biases, rows, EPS), weights, dys, 1e-5);
        tensors.assertGradient(dBias, baseBias, v -> Reference.layerNorm(xs, weights, v, rows, EPS), biases, dys, 1e-5);
    }

    @ParameterizedTest
    @CsvSource({"1, 1, true", "7, 13, false", "130, 64, true", "513, 207, false"})
    void columnSumAgreesWithReference(int rows, int width, boolean accumulate) {
        MemorySegment x = tensors.random((long) rows * width);
        MemorySegment out = accumulate ? tensors.random(width) : tensors.empty(width);
        double[] expected = base(out, accumulate);
        double[] xs = doubles(x);
        for (int i = 0; i < xs.length; i++) {
            expected[i % width] += xs[i];
        }
        MemorySegment workspace = tensors.workspace(ColumnSum.workspaceBytes(rows, width));
        tensors.run(new ColumnSum(x, out, accumulate, workspace, rows, width), out);
        assertClose(out, expected, 1e-5);
    }

    /// What an output holds that is added to.
    static double[] base(MemorySegment output, boolean accumulate) {
        double[] values = doubles(output);
        if (!accumulate) {
            Arrays.fill(values, 0);
        }
        return values;
    }
}
