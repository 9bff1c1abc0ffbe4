package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.quern.kernels.cpu.Tensors.assertClose;
import static org.quern.kernels.cpu.Tensors.doubles;
import static org.quern.kernels.cpu.Tensors.ints;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RopeTest {
    private static final int POSITIONS = 300;
    private final Tensors tensors = new Tensors(6);

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 2, false, false",
        "7, 3, 3, 14, true, false",
        "130, 4, 2, 64, false, true",
        "65, 4, 1, 128, true, false",
        "33, 8, 4, 32, false, false"
    })
    void andItsGradientAgreeWithReference(
            int rows, int heads, int keyValueHeads, int headDim, boolean inPlace, boolean accumulate) {
        double[] inverse = Rope.inverseFrequencies(headDim, 10000);
        MemorySegment cos = tensors.empty(POSITIONS * headDim / 2);
        MemorySegment sin = tensors.empty(POSITIONS * headDim / 2);
        Rope.fillTables(inverse, POSITIONS, cos, sin);
        MemorySegment positions = tensors.randomInts(rows, 0, POSITIONS);
        int width = (heads + 2 * keyValueHeads) * headDim;
        MemorySegment x = tensors.random((long) rows * width);
        double[] xs = doubles(x);
        MemorySegment out = inPlace ? x : tensors.empty((long) rows * width);
        tensors.run(
                new Rope(x, positions, cos, sin, false, out, false, rows, heads, keyValueHeads, headDim, POSITIONS),
                out);
        assertClose(out, Reference.rope(xs, ints(positions), inverse, heads, keyValueHeads), 1e-6);

        MemorySegment dOut = tensors.random((long) rows * width);
        double[] dOuts = doubles(dOut);
        MemorySegment dx =
                accumulate ? tensors.random((long) rows * width) : inPlace ? dOut : tensors.empty((long) rows * width);
        double[] base = NormTest.base(dx, accumulate);
        tensors.run(
                new Rope(
                        dOut,
                        positions,
                        cos,
                        sin,
                        true,
                        dx,
                        accumulate,
                        rows,
                        heads,
                        keyValueHeads,
                        headDim,
                        POSITIONS),
                dx);
        tensors.assertGradient(
                dx, base, v -> Reference.rope(v, ints(positions), inverse, heads, keyValueHeads), xs, dOuts, 1e-5);
    }

    @Test
    void tablesAreAccurateAtTheLastPositionOfLongContexts() {
        double[] inverse = Rope.inverseFrequencies(8, 500000);
        int positions = 131072;
        MemorySegment cos = tensors.empty(positions * 4L);
        MemorySegment sin = tensors.empty(positions * 4L);
        Rope.fillTables(inverse, positions, cos, sin);
        for (int i = 0; i < 4; i++) {
            long at = (positions - 1) * 4L + i;
            double angle = (positions - 1) * Math.pow(500000, -i / 4.0);
            assertThat((double) Native.get(cos.address() + 4 * at)).isCloseTo(Math.cos(angle), within(1e-7));
            assertThat((double) Native.get(sin.address() + 4 * at)).isCloseTo(Math.sin(angle), within(1e-7));
        }
    }

    /// Llama 3.1 8B's frequencies from `transformers.modeling_rope_utils` (head_dim 128, theta 500000, factor
    /// 8, low 1, high 4, original context 8192): one that is left alone, three that are blended, one that is
    /// divided.
    @Test
    void scalesFrequenciesAsTransformersDoes() {
        double[] scaled = Rope.llama3(Rope.inverseFrequencies(128, 500000), 8, 1, 4, 8192);
        assertThat(scaled).hasSize(64);
        assertThat(scaled[1]).isCloseTo(0.81461722, within(8e-07));
        assertThat(scaled[20]).isCloseTo(0.016560441, within(2e-08));
        assertThat(scaled[29]).isCloseTo(0.0021665706, within(2e-09));
        assertThat(scaled[31]).isCloseTo(0.00085675146, within(9e-10));
        assertThat(scaled[33]).isCloseTo(0.00031269365, within(3e-10));
        assertThat(scaled[35]).isCloseTo(9.5562122e-05, within(1e-10));
        assertThat(scaled[40]).isCloseTo(3.4281024e-05, within(3e-11));
        assertThat(scaled[63]).isCloseTo(3.0689259e-07, within(3e-13));
    }

    @Test
    void refusesPositionsOutsideTheTables() {
        MemorySegment table = tensors.random(10);
        for (int position : new int[] {-1, 10}) {
            Rope kernel = new Rope(
                    tensors.random(6),
                    tensors.ints(position),
                    table,
                    table,
                    false,
                    tensors.empty(6),
                    false,
                    1,
                    1,
                    1,
                    2,
                    10);
            assertThatThrownBy(() -> kernel.run(0, 0)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }
}
