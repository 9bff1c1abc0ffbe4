package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.quern.kernels.cpu.Tensors.assertClose;
import static org.quern.kernels.cpu.Tensors.doubles;
import static org.quern.kernels.cpu.Tensors.ints;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.kernels.cpu.LinearCrossEntropy.Shape;

class LinearCrossEntropyTest {
    private static final float SCALE = 0.125f;

    private final Tensors tensors = new Tensors(13);

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 1, false",
        "7, 3, 5, 13, false",
        "7, 3, 5, 13, true",
        "129, 128, 16, 33, true",
        "64, 64, 24, 127, false",
        "10, 4, 33, 1000, true"
    })
    void andItsGradientAgreeWithReference(int rows, int chunk, int width, int vocabulary, boolean accumulate) {
        Shape shape = new Shape(rows, chunk, width, vocabulary);
        MemorySegment hidden = tensors.random((long) rows * width);
        MemorySegment weight = tensors.random((long) vocabulary * width);
        // About a fifth of the rows is ignored where there are enough.
        MemorySegment targets = tensors.randomInts(rows, -vocabulary / 4, vocabulary);
        double[] h = doubles(hidden);
        double[] w = doubles(weight);
        double[] expected = losses(h, w, ints(targets), shape);

        MemorySegment losses = tensors.empty(rows);
        MemorySegment logits = tensors.empty((long) chunk * vocabulary);
        tensors.run(
                new LinearCrossEntropy.Forward(
                        hidden,
                        weight,
                        targets,
                        losses,
                        logits,
                        tensors.workspace(LinearCrossEntropy.Forward.workspaceBytes(shape)),
                        shape),
                losses);
        assertClose(losses, expected, 1e-6);

        MemorySegment dHidden = accumulate ? tensors.random((long) rows * width) : tensors.empty((long) rows * width);
        MemorySegment dWeight =
                accumulate ? tensors.random((long) vocabulary * width) : tensors.empty((long) vocabulary * width);
        double[] hiddenBase = NormTest.base(dHidden, accumulate);
        double[] weightBase = NormTest.base(dWeight, accumulate);
        losses.fill((byte) 0xff);
        tensors.run(
                new LinearCrossEntropy.Gradient(
                        hidden,
                        weight,
                        targets,
                        tensors.of(SCALE),
                        losses,
                        dHidden,
                        accumulate,
                        dWeight,
                        accumulate,
                        logits,
                        tensors.workspace(LinearCrossEntropy.Gradient.workspaceBytes(shape)),
                        shape),
                losses,
                dHidden,
                dWeight);
        assertClose(losses, expected, 1e-6);
        double[] scales = new double[rows];
        Arrays.fill(scales, SCALE);
        tensors.assertGradient(dHidden, hiddenBase, v -> losses(v, w, ints(targets), shape), h, scales, 4e-6);
        tensors.assertGradient(dWeight, weightBase, v -> losses(h, v, ints(targets), shape), w, scales, 4e-6);
    }

    @Test
    void refusesAChunkOfMoreRowsThanThereAre() {
        assertThatThrownBy(() -> new Shape(4, 5, 2, 3))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("a chunk must have at least 1 and at most 4 rows: got 5");
    }

    private static double[] losses(double[] hidden, double[] weight, int[] targets, Shape shape) {
        double[] logits = new double[shape.rows() * shape.vocabulary()];
        for (int row = 0; row < shape.rows(); row++) {
            for (int id = 0; id < shape.vocabulary(); id++) {
                for (int c = 0; c < shape.width(); c++) {
                    logits[row * shape.vocabulary() + id] +=
                            hidden[row * shape.width() + c] * weight[id * shape.width() + c];
                }
            }
        }
        return Reference.crossEntropy(logits, targets);
    }
}
