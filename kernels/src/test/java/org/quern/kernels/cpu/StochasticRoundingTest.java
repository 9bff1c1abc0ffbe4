package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class StochasticRoundingTest {
    private final MemorySegment out = new Tensors(8).empty(2);

    /// Philox 4x32-10 of counter 0 and key 0 is 6627e8d5 e169c58d bc57ac4c 9b00dbd8 (Random123's known answers): with
    /// 0x10000 less their upper halves cut off, each value is just rounded up.
    @Test
    void roundsByTheKnownAnswersOfPhilox() {
        int[] least = {0x10000 - 0x6627, 0x10000 - 0xe169, 0x10000 - 0xbc57, 0x10000 - 0x9b00};
        store(4, 0, least);
        assertThat(bits()).containsExactly(0x3f81, 0x3f81, 0x3f81, 0x3f81);
        store(4, -1, least);
        assertThat(bits()).containsExactly(0x3f80, 0x3f80, 0x3f80, 0x3f80);
    }

    @Test
    void storesNoMoreThanItIsAskedTo() {
        out.fill((byte) 0);
        store(3, 0, new int[4]);
        assertThat(bits()).containsExactly(0x3f80, 0x3f80, 0x3f80, 0);
    }

    @Test
    void keepsWhatIsNotFinite() {
        StochasticRounding.store(
                out.address(), 4, 7, 1, 2, 3, Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, -0.0f);
        assertThat(StochasticRounding.load(out.address())).isNaN();
        assertThat(bits()).endsWith(0x7f80, 0xff80, 0x8000);
    }

    private void store(int count, int more, int[] cutOff) {
        float[] values = new float[4];
        for (int i = 0; i < 4; i++) {
            values[i] = Float.intBitsToFloat(0x3f800000 + cutOff[i] + more);
        }
        StochasticRounding.store(out.address(), count, 0, 0, 0, 0, values[0], values[1], values[2], values[3]);
    }

    private int[] bits() {
        int[] bits = new int[4];
        for (int i = 0; i < 4; i++) {
            bits[i] = Short.toUnsignedInt(out.getAtIndex(ValueLayout.JAVA_SHORT, i));
        }
        return bits;
    }
}
