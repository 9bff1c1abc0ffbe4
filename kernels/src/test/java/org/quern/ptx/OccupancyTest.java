package org.quern.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.gpu.DeviceProperties;

class OccupancyTest {
    private static final DeviceProperties A100 =
            new DeviceProperties("A100", 8, 0, 108, 40L << 30, 166_912, 167_936, 65_536, 2048, 32, 40L << 20, 12_000);

    /// Worked out by hand from NVIDIA's table of limits for compute capability 8.0.
    @ParameterizedTest
    @CsvSource({
        "64, 0, 256, 4, 32, registers",
        "32, 0, 1024, 2, 64, registers",
        "16, 0, 1024, 2, 64, threads",
        "255, 0, 256, 1, 8, registers",
        "168, 0, 128, 3, 12, registers",
        "33, 0, 32, 32, 32, blocks",
        "40, 49152, 128, 3, 12, shared memory",
        "128, 102400, 256, 1, 8, shared memory",
        "24, 1025, 96, 21, 63, threads",
    })
    void countsBlocks(int registers, int shared, int threads, int blocks, int warps, String limit) {
        Occupancy occupancy = Occupancy.of(A100, registers, shared, threads);
        assertThat(occupancy.blocks()).isEqualTo(blocks);
        assertThat(occupancy.warps()).isEqualTo(warps);
        assertThat(occupancy.limit()).isEqualTo(limit);
    }

    @Test
    void isZeroForWhatDoesNotFit() {
        assertThat(Occupancy.of(A100, 128, 0, 1024).blocks()).isZero();
        assertThat(Occupancy.of(A100, 32, 170_000, 128).limit()).isEqualTo("shared memory");
    }
}
