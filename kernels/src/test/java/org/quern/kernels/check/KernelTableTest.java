package org.quern.kernels.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.gpu.GpuException;
import org.quern.kernels.check.KernelTable.Row;
import org.quern.ptx.CubinCache;
import org.quern.ptx.KernelVariant;

class KernelTableTest {
    @TempDir
    private Path folder;

    @Test
    void tellsWhatKernelsNeed() {
        List<Row> rows = KernelTable.of(
                List.of(KernelVariant.of("fill.sm_80", "bytes", 4), KernelVariant.of("dynamic.sm_80", "bytes", 49_152)),
                List.of("sm_80", "sm_90"),
                new CubinCache(folder));
        assertThat(rows).extracting(Row::entry).containsExactly("fill", "first", "second");
        assertThat(rows).extracting(Row::threads).containsExactly(256, 128, 64);
        assertThat(rows).extracting(Row::sharedBytes).containsExactly(0, 49_408, 49_152);
        assertThat(rows.get(1).uses()).containsOnlyKeys("sm_80", "sm_90");
        assertThat(rows.get(1).uses().get("sm_80").occupancy().blocks()).isEqualTo(3);
        assertThat(rows.get(1).uses().get("sm_90").occupancy().blocks()).isEqualTo(4);
        assertThat(KernelTable.line(rows.get(1)))
                .matches("\\| dynamic.sm_80\\(bytes=49152\\) \\| first \\| 128 \\| 49,408 \\| \\d+, 3 \\(19 %\\) shared"
                        + " memory \\| \\d+, 4 \\(25 %\\) shared memory \\| \\|");
    }

    @Test
    void wantsToKnowDynamicSharedMemory() {
        assertThatThrownBy(() -> KernelTable.of(
                        List.of(KernelVariant.of("silent.sm_80")), List.of("sm_80"), new CubinCache(folder)))
                .isInstanceOf(GpuException.class)
                .hasMessage("silent.sm_80: behind \".extern .shared .align 16 .b8 tiles[];\" a comment must say"
                        + " how much its launches ask for: // 49152 bytes");
    }
}
