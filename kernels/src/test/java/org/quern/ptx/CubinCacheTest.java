package org.quern.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CubinCacheTest {
    private static final String FILL = PtxTemplate.expand(KernelVariant.of("fill.sm_80", "bytes", 4));

    @TempDir
    private Path folder;

    private final Assembler assembler = CompilerLibrary.get();

    @Test
    void keepsWhatItAssembled() throws IOException {
        Assembled first = assemble(FILL, "sm_80");
        assertThat(first.cubin())
                .isEqualTo(assembler.assemble("fill", FILL, "sm_80").cubin());
        assertThat(files()).hasSize(1);
        long written = files().getFirst().toFile().lastModified();
        Assembled second = assemble(FILL, "sm_80");
        assertThat(second.cubin()).isEqualTo(first.cubin());
        assertThat(second.kernels()).isEqualTo(first.kernels());
        assertThat(files().getFirst().toFile().lastModified()).isEqualTo(written);
    }

    @Test
    void tellsTextsAndArchitecturesApart() throws IOException {
        assemble(FILL, "sm_80");
        assemble(FILL, "sm_90");
        assemble(FILL + "// other\n", "sm_80");
        assertThat(files()).hasSize(3);
    }

    @Test
    void assemblesAgainWhatIsCorrupt() throws IOException {
        Assembled first = assemble(FILL, "sm_80");
        Path file = files().getFirst();
        byte[] whole = Files.readAllBytes(file);
        for (int length : new int[] {0, 31, 32, whole.length - 1}) {
            Files.write(file, java.util.Arrays.copyOf(whole, length));
            assertThat(assemble(FILL, "sm_80").cubin()).isEqualTo(first.cubin());
            assertThat(file).hasBinaryContent(whole);
        }
        byte[] flipped = whole.clone();
        flipped[whole.length / 2] ^= 1;
        Files.write(file, flipped);
        assertThat(assemble(FILL, "sm_80").cubin()).isEqualTo(first.cubin());
        assertThat(file).hasBinaryContent(whole);
    }

    @Test
    void worksWithoutAUsableFolder() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "");
        CubinCache cache = new CubinCache(file.resolve("cubins"));
        assertThat(cache.assemble("fill", FILL, "sm_80", assembler).kernels()).containsOnlyKeys("fill");
    }

    private Assembled assemble(String ptx, String architecture) {
        return new CubinCache(folder).assemble("fill", ptx, architecture, assembler);
    }

    private List<Path> files() throws IOException {
        try (var files = Files.list(folder)) {
            return files.toList();
        }
    }
}
