package org.quern.kernels.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.kernels.check.KernelTable.Row;
import org.quern.kernels.check.KernelTable.Use;
import org.quern.ptx.Assembler;
import org.quern.ptx.CubinCache;
import org.quern.ptx.KernelVariant;
import org.quern.ptx.PtxTemplate;

/// All kernels that ship assemble without spills, and `KERNELS.md` says what they need.
class KernelPageTest {
    private static final String REMEDY = "launcher/bin/quern kernels table > kernels/KERNELS.md";

    @TempDir
    private Path folder;

    private static List<KernelVariant> variants() {
        return KernelCatalog.families().stream()
                .flatMap(family -> family.variants().stream())
                .toList();
    }

    private static List<String> lines() throws IOException {
        return Files.readAllLines(Path.of("KERNELS.md")).stream()
                .filter(line -> line.matches("\\| \\S+\\.sm_.*"))
                .toList();
    }

    @Test
    void namesTheKernelsThatShip() throws IOException {
        assertThat(lines().stream()
                        .map(line -> line.split(" \\| ")[0].substring(2))
                        .distinct())
                .as(REMEDY)
                .containsExactlyElementsOf(
                        variants().stream().map(KernelVariant::name).toList());
    }

    @Test
    void saysWhatTheyNeed() throws IOException {
        List<Row> rows = KernelTable.of(variants(), List.of("sm_80", "sm_90"), new CubinCache(folder));
        // The column of sm_120, empty here, comes last.
        assertThat(lines().stream().map(line -> line.replaceFirst("[^|]*\\|$", " |")))
                .as(REMEDY)
                .containsExactlyElementsOf(rows.stream().map(KernelTable::line).toList());
        requireRunnable(rows);
    }

    /// A fence of all memory between the proxies becomes `MEMBAR.ALL.GPU`, which waits for all stores and sums before
    /// it.
    @Test
    void fenceSharedMemoryOnlyBetweenProxies() {
        assertThat(variants())
                .filteredOn(variant -> variant.architecture().equals("sm_90a"))
                .isNotEmpty()
                .allSatisfy(variant -> assertThat(PtxTemplate.expand(variant))
                        .as(variant.name())
                        .doesNotContain("fence.proxy.async;"));
    }

    @Test
    @Tag("slow")
    void assembleForNewerArchitectures() {
        assumeTrue(Assembler.choose("", "sm_120").assembler().isPresent(), "needs a ptxas that knows sm_120");
        requireRunnable(KernelTable.of(variants(), List.of("sm_120"), new CubinCache(folder)));
    }

    /// No local memory, and room for at least one block on a multiprocessor.
    private static void requireRunnable(List<Row> rows) {
        for (Row row : rows) {
            for (Use use : row.uses().values()) {
                assertThat(use.resources().stackBytes()).as(row.toString()).isZero();
                assertThat(use.occupancy().blocks()).as(row.toString()).isPositive();
            }
        }
    }
}
