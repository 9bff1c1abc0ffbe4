package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.quern.kernels.cpu.Tensors.assertClose;
import static org.quern.kernels.cpu.Tensors.doubles;
import static org.quern.kernels.cpu.Tensors.ints;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EmbeddingTest {
    private final Tensors tensors = new Tensors(5);

    @ParameterizedTest
    @CsvSource({"1, 1, 1, false", "7, 5, 13, true", "130, 50, 64, false", "64, 300, 207, true", "40, 9, 768, false"})
    void agreesWithReference(int rows, int vocabulary, int width, boolean accumulate) {
        MemorySegment ids = tensors.randomInts(rows, 0, vocabulary);
        MemorySegment table = tensors.random((long) vocabulary * width);
        MemorySegment out = tensors.empty((long) rows * width);
        tensors.run(new Embedding.Forward(ids, table, out, rows, vocabulary, width), out);
        MemorySegment dTable =
                accumulate ? tensors.random((long) vocabulary * width) : tensors.empty((long) vocabulary * width);
        double[] expected = NormTest.base(dTable, accumulate);
        double[] outs = doubles(out);
        double[] tables = doubles(table);
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < width; i++) {
                int at = ints(ids)[row] * width + i;
                assertThat(outs[row * width + i]).isEqualTo(tables[at]);
                expected[at] += outs[row * width + i];
            }
        }
        tensors.run(new Embedding.Backward(ids, out, dTable, accumulate, rows, vocabulary, width), dTable);
        assertClose(dTable, expected, 1e-5);
    }

    @ParameterizedTest
    @CsvSource({"-1", "5", "2147483647"})
    void refusesIdsOutsideTheTable(int id) {
        MemorySegment ids = tensors.ints(4, id);
        MemorySegment table = tensors.random(5 * 3);
        MemorySegment out = tensors.empty(2 * 3);
        assertThatThrownBy(() -> new Embedding.Forward(ids, table, out, 2, 5, 3).run(0, 0))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> new Embedding.Backward(ids, out, table, true, 2, 5, 3).run(0, 0))
                .isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void ofNoRowsHasNoGradient() {
        MemorySegment dTable = tensors.empty(5 * 3);
        tensors.run(new Embedding.Backward(tensors.ints(), tensors.empty(0), dTable, false, 0, 5, 3), dTable);
        assertThat(doubles(dTable)).containsOnly(0);
    }
}
