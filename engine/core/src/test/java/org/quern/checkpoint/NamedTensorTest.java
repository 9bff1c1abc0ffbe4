package org.quern.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.quern.base.QuernException;
import org.quern.checkpoint.NamedTensor.DType;

class NamedTensorTest {
    private final Arena arena = Arena.ofAuto();

    @Test
    void widensEveryHalf() {
        MemorySegment halves = arena.allocate(2 << 16);
        float[] f16 = new float[1 << 16];
        float[] bf16 = new float[1 << 16];
        for (int bits = 0; bits < 1 << 16; bits++) {
            halves.setAtIndex(JAVA_SHORT, bits, (short) bits);
            f16[bits] = Float.float16ToFloat((short) bits);
            bf16[bits] = Float.intBitsToFloat(bits << 16);
        }
        MemorySegment floats = arena.allocate(4 << 16);

        new NamedTensor("x", DType.F16, List.of(1L << 16), halves).copyToFloat(floats);
        assertThat(floats.toArray(JAVA_FLOAT)).isEqualTo(f16);
        new NamedTensor("x", DType.BF16, List.of(256L, 256L), halves).copyToFloat(floats);
        assertThat(floats.toArray(JAVA_FLOAT)).isEqualTo(bf16);
    }

    @Test
    void listsEveryMisfit() {
        MemorySegment target = arena.allocate(24);
        List<NamedTensor> into = List.of(
                NamedTensor.floats("same", target, 6),
                NamedTensor.floats("turned", target, 2, 3),
                NamedTensor.floats("absent", target, 6),
                NamedTensor.floats("whole", target, 6));
        List<NamedTensor> from = List.of(
                floats("same", 6),
                floats("turned", 3, 2),
                new NamedTensor("whole", DType.I32, List.of(6L), arena.allocate(24)),
                floats("unknown", 1));

        assertThatThrownBy(() -> NamedTensor.copyAll("a.safetensors", from, into))
                .isInstanceOf(QuernException.class)
                .hasMessageContainingAll(
                        "a.safetensors",
                        "turned: expected [2, 3], found [3, 2]",
                        "absent: expected [6], found none",
                        "whole: expected F32, BF16 or F16, found I32",
                        "unknown: expected none, found [1]");
        assertThat(target.getAtIndex(JAVA_FLOAT, 0)).isZero();
    }

    @Test
    void copiesByName() {
        MemorySegment a = arena.allocate(8);
        MemorySegment b = arena.allocate(8);

        NamedTensor.copyAll(
                "a.safetensors",
                List.of(floats("b", 2), floats("a", 2)),
                List.of(NamedTensor.floats("a", a, 2), NamedTensor.floats("b", b, 2)));

        assertThat(a.toArray(JAVA_FLOAT)).containsExactly(1, 2);
        assertThat(b.toArray(JAVA_FLOAT)).containsExactly(1, 2);
    }

    @Test
    void rejectsMemoryOfAnotherSize() {
        assertThatThrownBy(() -> NamedTensor.floats("x", arena.allocate(20), 2, 3))
                .hasMessageContaining("x: F32 [2, 3] takes 24 bytes, its memory has 20");
    }

    private NamedTensor floats(String name, long... shape) {
        long count = 1;
        for (long size : shape) {
            count *= size;
        }
        MemorySegment data = arena.allocate(4 * count);
        for (long i = 0; i < count; i++) {
            data.setAtIndex(JAVA_FLOAT, i, i + 1);
        }
        return NamedTensor.floats(name, data, shape);
    }
}
