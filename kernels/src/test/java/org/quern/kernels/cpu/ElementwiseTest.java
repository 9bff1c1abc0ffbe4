package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.quern.kernels.cpu.Tensors.assertClose;
import static org.quern.kernels.cpu.Tensors.doubles;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ElementwiseTest {
    private final Tensors tensors = new Tensors(4);

    @ParameterizedTest
    @ValueSource(ints = {1, 13, 64, 207, 9_001})
    void geluAgreesWithReference(int count) {
        MemorySegment x = tensors.random(count);
        MemorySegment y = tensors.empty(count);
        tensors.run(new Gelu.Forward(x, y, count), y);
        assertClose(y, Reference.gelu(doubles(x)), 1e-6);
    }

    @Test
    void geluIsAccurateInBothTails() {
        double[] xs = IntStream.rangeClosed(-400, 400).mapToDouble(i -> i / 20f).toArray();
        MemorySegment x = tensors.of(xs);
        MemorySegment y = tensors.empty(xs.length);
        tensors.run(new Gelu.Forward(x, y, xs.length), y);
        double[] actual = doubles(y);
        for (int i = 0; i < xs.length; i++) {
            double value = (float) xs[i];
            // The reference by tanh cancels below -2; this is the same function without cancellation.
            double expected =
                    value / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (value + 0.044715 * Math.pow(value, 3))));
            // An exponent of 80 has lost 80 ulp by rounding alone.
            assertThat(Math.abs(actual[i] - expected))
                    .as("gelu(%s)", xs[i])
                    .isLessThanOrEqualTo(1e-5 * Math.abs(expected) + 1e-36);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, false", "13, true", "207, false", "9001, true"})
    void geluGradientAgreesWithDifferences(int count, boolean accumulate) {
        MemorySegment x = tensors.random(count);
        MemorySegment dy = tensors.random(count);
        MemorySegment dx = accumulate ? tensors.random(count) : tensors.empty(count);
        double[] base = NormTest.base(dx, accumulate);
        tensors.run(new Gelu.Backward(x, dy, dx, accumulate, count), dx);
        tensors.assertGradient(dx, base, Reference::gelu, doubles(x), doubles(dy), 1e-5);
    }

    @Test
    void activationsMayWorkInPlace() {
        MemorySegment x = tensors.random(207);
        double[] expected = Reference.gelu(doubles(x));
        tensors.run(new Gelu.Forward(x, x, 207), x);
        assertClose(x, expected, 1e-6);
    }

    @ParameterizedTest
    @CsvSource({"1, false", "13, true", "207, false", "9001, true"})
    void reluSquaredAndItsGradientAgreeWithReference(int count, boolean accumulate) {
        MemorySegment x = tensors.random(count);
        MemorySegment y = tensors.empty(count);
        tensors.run(new ReluSquared.Forward(x, y, count), y);
        assertClose(y, Reference.reluSquared(doubles(x)), 1e-6);

        MemorySegment dy = tensors.random(count);
        MemorySegment dx = accumulate ? tensors.random(count) : tensors.empty(count);
        double[] base = NormTest.base(dx, accumulate);
        tensors.run(new ReluSquared.Backward(x, dy, dx, accumulate, count), dx);
        tensors.assertGradient(dx, base, Reference::reluSquared, doubles(x), doubles(dy), 1e-4);
    }

    @ParameterizedTest
    @CsvSource({"1, 1, false", "3, 13, true", "65, 207, false", "9, 2048, true"})
    void swiGluAndItsGradientAgreeWithReference(int rows, int width, boolean accumulate) {
        MemorySegment gateUp = tensors.random(2L * rows * width);
        MemorySegment out = tensors.empty((long) rows * width);
        tensors.run(new SwiGlu.Forward(gateUp, out, rows, width), out);
        assertClose(out, Reference.swiGlu(doubles(gateUp), rows), 1e-6);

        MemorySegment dOut = tensors.random((long) rows * width);
        MemorySegment dGateUp = accumulate ? tensors.random(2L * rows * width) : tensors.empty(2L * rows * width);
        double[] base = NormTest.base(dGateUp, accumulate);
        tensors.run(new SwiGlu.Backward(gateUp, dOut, dGateUp, accumulate, rows, width), dGateUp);
        tensors.assertGradient(dGateUp, base, v -> Reference.swiGlu(v, rows), doubles(gateUp), doubles(dOut), 1e-5);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 13, 64, 9_001})
    void arithmeticAgreesWithReference(int count) {
        MemorySegment x = tensors.random(count);
        MemorySegment y = tensors.random(count);
        double[] xs = doubles(x);
        double[] ys = doubles(y);
        MemorySegment out = tensors.empty(count);
        tensors.run(new Copy(x, out, count), out);
        assertThat(doubles(out)).containsExactly(xs);
        tensors.run(new Fill(0.5f, out, count), out);
        assertThat(doubles(out)).containsOnly(0.5);
        tensors.run(new Scale(x, -3, out, count), out);
        assertClose(out, Arrays.stream(xs).map(v -> -3 * v).toArray(), 1e-7);
        tensors.run(new LinearCombination(2, x, -0.25f, y, out, count), out);
        assertClose(
                out,
                IntStream.range(0, count)
                        .mapToDouble(i -> 2 * xs[i] - 0.25 * ys[i])
                        .toArray(),
                1e-6);
        double[] sum = IntStream.range(0, count).mapToDouble(i -> xs[i] + ys[i]).toArray();
        tensors.run(new Add(x, y, out, count), out);
        assertClose(out, sum, 1e-7);
        tensors.run(new Add(x, y, y, count), y);
        assertClose(y, sum, 1e-7);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "3, 13", "65, 207", "2, 9001"})
    void addBiasAddsToEveryRow(int rows, int width) {
        MemorySegment x = tensors.random((long) rows * width);
        MemorySegment bias = tensors.random(width);
        double[] xs = doubles(x);
        double[] biases = doubles(bias);
        tensors.run(new AddBias(x, bias, x, rows, width), x);
        assertClose(
                x,
                IntStream.range(0, xs.length)
                        .mapToDouble(i -> xs[i] + biases[i % width])
                        .toArray(),
                1e-7);
    }

    @Test
    void refusesBuffersThatAreTooSmallOrOnTheHeap() {
        assertThatThrownBy(() -> new Scale(tensors.random(12), 2, tensors.random(13), 13))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("52 bytes")
                .hasMessageContaining("48");
        assertThatThrownBy(() -> new Scale(MemorySegment.ofArray(new float[13]), 2, tensors.random(13), 13))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("off the heap");
    }

    @Test
    void refusesMemoryThatWasGivenBack() {
        Scale kernel;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = arena.allocate(52);
            kernel = new Scale(x, 2, x, 13);
        }
        assertThatThrownBy(() -> kernel.run(0, 0)).isInstanceOf(IllegalStateException.class);
    }
}
