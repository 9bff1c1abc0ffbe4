package org.quern.gpu;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.quern.gpu.Launch.Dim;

/// Launches that no device takes, and those that this one does not: each message names kernel, limit and value.
class LaunchTest {
    private static final int SHARED = 101_376;

    private record Kernel(String name, List<Integer> parameterBytes, int maxSharedBytes) implements GpuFunction {}

    private static void refuses(String message, Dim grid, Dim block, int sharedBytes, Object... values) {
        GpuFunction kernel = new Kernel("scale", List.of(8, 4), SHARED);
        assertThatThrownBy(() -> new Launch(kernel, grid, block, sharedBytes, values))
                .isInstanceOf(GpuException.class)
                .hasMessage(message);
    }

    @Test
    void refusesMoreThanTheDeviceHas() {
        refuses(
                "scale may use at most 101,376 bytes of dynamic shared memory on this device: got 101,377",
                Dim.of(1),
                Dim.of(32),
                SHARED + 1,
                1L,
                2);
        refuses(
                "scale: a grid has at most 65,535 blocks in y and in z: got 1 x 65536 x 1",
                Dim.of(1, 65_536),
                Dim.of(32),
                0,
                1L,
                2);
        refuses("scale: a block has at most 1,024 threads: got 32 x 33 x 1", Dim.of(1), Dim.of(32, 33), 0, 1L, 2);
        new Launch(new Kernel("scale", List.of(), SHARED), new Dim(1, 65_535, 65_535), Dim.of(32, 32), SHARED);
    }

    @Test
    void refusesDimensionsOfZero() {
        assertThatThrownBy(() -> new Dim(1, 0, 1))
                .isInstanceOf(GpuException.class)
                .hasMessage("a launch needs at least 1 in each dimension: got 1 x 0 x 1");
    }

    @Test
    void refusesOtherArgumentsThanTheKernels() {
        Dim one = Dim.of(1);
        refuses("scale takes 2 arguments: got 1", one, one, 0, 1L);
        refuses("scale: argument 1 has 4 bytes: got 8", one, one, 0, 1L, 2L);
        refuses(
                "scale: argument 1 must be memory, Long, Integer, Float or a tensor map: got Short",
                one,
                one,
                0,
                1L,
                (short) 2);
    }
}
