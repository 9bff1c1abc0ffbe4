package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.quern.kernels.cpu.Tensors.assertClose;
import static org.quern.kernels.cpu.Tensors.doubles;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.kernels.cpu.Attention.Shape;

class AttentionTest {
    private final Tensors tensors = new Tensors(2);

    // sequences, length, heads, keyValueHeads, headDim, window, documents
    @ParameterizedTest
    @CsvSource({
        "1,   1, 1, 1,   2,  0, false",
        "2,   7, 3, 3,  13,  0, true",
        "2,  64, 4, 2,  32,  0, false",
        "3,  33, 4, 1,  48,  5, true",
        "1, 130, 2, 1,  64,  0, true",
        "2, 130, 6, 2,  16, 70, false",
        "1, 200, 1, 1, 128,  1, false",
        "1, 333, 2, 2,  20, 33, true"
    })
    void agreesWithReference(
            int sequences, int length, int heads, int keyValueHeads, int headDim, int window, boolean documents) {
        Shape shape = new Shape(sequences, length, heads, keyValueHeads, headDim, window);
        MemorySegment qkv = tensors.random((long) shape.rows() * shape.fusedWidth());
        MemorySegment starts = starts(shape, documents);
        MemorySegment out = tensors.empty((long) shape.rows() * heads * headDim);
        MemorySegment lse = tensors.empty((long) shape.rows() * heads);
        tensors.run(forward(qkv, starts, out, lse, shape), out, lse);

        Reference.AttentionResult expected = Reference.attention(doubles(qkv), Tensors.ints(starts), shape);
        assertClose(out, expected.out(), 1e-5);
        assertClose(lse, expected.lse(), 1e-5);
    }

    @ParameterizedTest
    @CsvSource({
        "1,   1, 1, 1,   2,  0, false, false",
        "2,   7, 3, 3,  13,  0, true,  true",
        "2,  64, 4, 2,  32,  0, false, false",
        "2,  33, 4, 1,  48,  5, true,  false",
        "1, 130, 2, 1,  64,  0, true,  true",
        "1, 130, 4, 2,  16, 70, false, false",
        "1, 100, 1, 1, 128,  1, false, true",
        "1, 150, 2, 2,  20, 33, true,  false"
    })
    void gradientAgreesWithDifferences(
            int sequences,
            int length,
            int heads,
            int keyValueHeads,
            int headDim,
            int window,
            boolean documents,
            boolean accumulate) {
        Shape shape = new Shape(sequences, length, heads, keyValueHeads, headDim, window);
        MemorySegment qkv = tensors.random((long) shape.rows() * shape.fusedWidth());
        MemorySegment starts = starts(shape, documents);
        MemorySegment out = tensors.empty((long) shape.rows() * heads * headDim);
        MemorySegment lse = tensors.empty((long) shape.rows() * heads);
        tensors.run(forward(qkv, starts, out, lse, shape), out, lse);

        MemorySegment dOut = tensors.random((long) shape.rows() * heads * headDim);
        MemorySegment dQkv = accumulate
                ? tensors.random((long) shape.rows() * shape.fusedWidth())
                : tensors.empty((long) shape.rows() * shape.fusedWidth());
        double[] base = NormTest.base(dQkv, accumulate);
        tensors.run(backward(qkv, starts, out, lse, dOut, dQkv, accumulate, shape), dQkv);

        int[] firsts = Tensors.ints(starts);
        tensors.assertGradient(
                dQkv, base, v -> Reference.attention(v, firsts, shape).out(), doubles(qkv), doubles(dOut), 2e-5);
    }

    @Test
    void survivesScoresOfAnySize() {
        Shape shape = new Shape(1, 100, 1, 1, 8, 0);
        double[] values = doubles(tensors.random((long) shape.rows() * shape.fusedWidth()));
        for (int i = 0; i < values.length; i++) {
            values[i] *= i % 24 < 16 ? 1e3 : 1;
        }
        MemorySegment qkv = tensors.of(values);
        MemorySegment starts = starts(shape, false);
        MemorySegment out = tensors.empty((long) shape.rows() * 8);
        MemorySegment lse = tensors.empty(shape.rows());
        tensors.run(forward(qkv, starts, out, lse, shape), out, lse);
        assertThat(Arrays.stream(doubles(out)).allMatch(Double::isFinite)).isTrue();
        assertClose(
                lse,
                Reference.attention(doubles(qkv), Tensors.ints(starts), shape).lse(),
                1e-5);
    }

    @Test
    void spreadsNotANumberToTheTokensThatSeeIt() {
        Shape shape = new Shape(1, 70, 1, 1, 4, 0);
        MemorySegment qkv = tensors.random((long) shape.rows() * shape.fusedWidth());
        qkv.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * (50 * shape.fusedWidth() + 4), Float.NaN);
        MemorySegment starts = starts(shape, false);
        MemorySegment out = tensors.empty(4L * shape.rows());
        MemorySegment lse = tensors.empty(shape.rows());
        tensors.run(forward(qkv, starts, out, lse, shape), out, lse);
        double[] result = doubles(lse);
        assertThat(result[49]).isFinite();
        assertThat(result[50]).isNaN();
        assertThat(result[69]).isNaN();
    }

    // sequences, heads, keyValueHeads, headDim, window; prompts of 1, 5 and 67 tokens, then a token at a time
    @ParameterizedTest
    @CsvSource({"1, 1, 1, 2, 0", "2, 4, 2, 32, 0", "1, 6, 2, 13, 9", "2, 3, 3, 64, 40", "1, 2, 1, 128, 1"})
    void cachedAgreesWithAttentionOverTheWholeSequence(
            int sequences, int heads, int keyValueHeads, int headDim, int window) {
        int capacity = 80;
        int length = 78;
        Shape whole = new Shape(sequences, length, heads, keyValueHeads, headDim, window);
        MemorySegment qkv = tensors.random((long) whole.rows() * whole.fusedWidth());
        double[] expected = Reference.attention(doubles(qkv), Tensors.ints(starts(whole, false)), whole)
                .out();

        long cacheSize = (long) sequences * keyValueHeads * capacity * headDim;
        MemorySegment keys = tensors.empty(cacheSize);
        MemorySegment values = tensors.empty(cacheSize);
        MemorySegment position = tensors.ints(0);
        int done = 0;
        for (int step : new int[] {1, 5, 67, 1, 1, 1, 2}) {
            Shape shape = new Shape(sequences, step, heads, keyValueHeads, headDim, window);
            MemorySegment rows = tensors.of(rows(doubles(qkv), whole.fusedWidth(), length, done, step));
            MemorySegment out = tensors.empty((long) shape.rows() * heads * headDim);
            MemorySegment workspace = tensors.workspace(CachedAttention.workspaceBytes(shape, capacity));
            position.set(ValueLayout.JAVA_INT_UNALIGNED, 0, done);
            tensors.run(
                    new CachedAttention(rows, keys, values, position, out, workspace, shape, capacity),
                    out,
                    keys,
                    values);
            assertClose(out, rows(expected, heads * headDim, length, done, step), 1e-5);
            done += step;
        }
    }

    @Test
    void cachedRefusesToOverrunTheCache() {
        Shape shape = new Shape(1, 2, 1, 1, 4, 0);
        CachedAttention kernel = new CachedAttention(
                tensors.random(24),
                tensors.empty(20),
                tensors.empty(20),
                tensors.ints(4),
                tensors.empty(8),
                tensors.workspace(CachedAttention.workspaceBytes(shape, 5)),
                shape,
                5);
        assertThatThrownBy(() -> kernel.run(0, 0)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    private Attention.Forward forward(
            MemorySegment qkv, MemorySegment starts, MemorySegment out, MemorySegment lse, Shape shape) {
        MemorySegment workspace = tensors.workspace(Attention.Forward.workspaceBytes(shape));
        return new Attention.Forward(qkv, starts, out, lse, workspace, shape);
    }

    private Attention.Backward backward(
            MemorySegment qkv,
            MemorySegment starts,
            MemorySegment out,
            MemorySegment lse,
            MemorySegment dOut,
            MemorySegment dQkv,
            boolean accumulate,
            Shape shape) {
        MemorySegment workspace = tensors.workspace(Attention.Backward.workspaceBytes(shape));
        return new Attention.Backward(qkv, starts, out, lse, dOut, dQkv, accumulate, workspace, shape);
    }

    /// Where each token's document starts: documents of 1 to 60 tokens, or one.
    private MemorySegment starts(Shape shape, boolean documents) {
        SplittableRandom random = new SplittableRandom(3);
        int[] starts = new int[shape.rows()];
        for (int row = 0; row < starts.length; row++) {
            int position = row % shape.length();
            boolean begins = position == 0 || documents && random.nextInt(30) == 0;
            starts[row] = begins ? position : starts[row - 1];
        }
        return tensors.ints(starts);
    }

    /// Rows `from` to `from + count` of each sequence.
    private static double[] rows(double[] whole, int width, int length, int from, int count) {
        int sequences = whole.length / width / length;
        double[] rows = new double[sequences * count * width];
        for (int sequence = 0; sequence < sequences; sequence++) {
            System.arraycopy(whole, (sequence * length + from) * width, rows, sequence * count * width, count * width);
        }
        return rows;
    }
}
