package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.quern.kernels.cpu.Tensors.assertClose;
import static org.quern.kernels.cpu.Tensors.doubles;
import static org.quern.kernels.cpu.Tensors.ints;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CrossEntropyTest {
    private final Tensors tensors = new Tensors(7);

    @ParameterizedTest
    @CsvSource({
        "1, 1, false, false",
        "3, 13, false, true",
        "130, 64, true, false",
        "33, 207, false, true",
        "5, 50257, true, false",
        "700, 5, false, false"
    })
    void andItsGradientAgreeWithReference(int rows, int vocabulary, boolean inPlace, boolean accumulate) {
        MemorySegment logits = tensors.random((long) rows * vocabulary);
        double[] xs = doubles(logits);
        // About a fifth of the rows is ignored where there are enough.
        MemorySegment targets = tensors.randomInts(rows, -vocabulary / 4, vocabulary);
        MemorySegment losses = tensors.empty(rows);
        MemorySegment lse = tensors.empty(rows);
        tensors.run(new CrossEntropy.Forward(logits, targets, losses, lse, rows, vocabulary), losses, lse);
        assertClose(losses, Reference.crossEntropy(xs, ints(targets)), 1e-6);
        for (int row = 0; row < rows; row++) {
            double expected = ints(targets)[row] < 0 ? 0 : Reference.logSumExp(xs, row, vocabulary);
            assertThat(doubles(lse)[row]).isCloseTo(expected, within(1e-6 * (1 + expected)));
        }

        float scale = 0.125f;
        MemorySegment dLogits = accumulate
                ? tensors.random((long) rows * vocabulary)
                : inPlace ? logits : tensors.empty((long) rows * vocabulary);
        double[] base = NormTest.base(dLogits, accumulate);
        tensors.run(
                new CrossEntropy.Backward(
                        logits, targets, lse, tensors.of(scale), dLogits, accumulate, rows, vocabulary),
                dLogits);
        double[] weights = new double[rows];
        Arrays.fill(weights, scale);
        tensors.assertGradient(dLogits, base, v -> Reference.crossEntropy(v, ints(targets)), xs, weights, 2e-6);
    }

    @Test
    void survivesLogitsOfAnySize() {
        MemorySegment logits = tensors.of(3e38, -3e38, 0, 1e4, 1e4 + 1, Double.NEGATIVE_INFINITY);
        MemorySegment losses = tensors.empty(2);
        MemorySegment lse = tensors.empty(2);
        tensors.run(new CrossEntropy.Forward(logits, tensors.ints(0, 0), losses, lse, 2, 3), losses, lse);
        assertThat(doubles(losses)[0]).isZero();
        assertThat(doubles(losses)[1]).isCloseTo(1 + Math.log1p(Math.exp(-1)), within(1e-6));
    }

    @Test
    void notANumberShowsInTheLoss() {
        MemorySegment logits = tensors.of(0, Double.NaN, 0);
        MemorySegment losses = tensors.empty(1);
        MemorySegment lse = tensors.empty(1);
        tensors.run(new CrossEntropy.Forward(logits, tensors.ints(0), losses, lse, 1, 3), losses, lse);
        assertThat(doubles(losses)).containsExactly(Double.NaN);
    }

    @Test
    void refusesTargetsOutsideTheVocabulary() {
        CrossEntropy.Forward kernel =
                new CrossEntropy.Forward(tensors.random(3), tensors.ints(3), tensors.empty(1), tensors.empty(1), 1, 3);
        assertThatThrownBy(() -> kernel.run(0, 0)).isInstanceOf(IndexOutOfBoundsException.class);
    }
}
