package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostChecksTest {
    @Test
    void saysHowMuchMemoryMayBeLocked() {
        String limits = """
                Limit                     Soft Limit           Hard Limit           Units
                Max processes             95978                95978                processes
                Max locked memory         %s             8388608              bytes
                """;
        assertThat(HostChecks.lockedMemory(limits.formatted("8388608")))
                .startsWith("8388608 bytes")
                .contains("--ulimit memlock=-1");
        assertThat(HostChecks.lockedMemory(limits.formatted("unlimited"))).isEqualTo("unlimited");
        assertThat(HostChecks.lockedMemory("")).isEqualTo("unknown");
    }

    @Test
    void leavesNothingOnTheDisk(@TempDir Path folder) throws IOException {
        assertThat(HostChecks.diskSpeed(folder).orElseThrow()).contains("MB/s");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).isEmpty();
        }
        assertThat(HostChecks.diskSpeed(folder.resolve("none"))).isEmpty();
    }

    @Test
    void saysWhereThereIsNoSharedMemory(@TempDir Path folder) throws IOException {
        assertThat(HostChecks.sharedMemory(folder)).contains("GiB free in " + folder);
        assertThat(HostChecks.sharedMemory(folder.resolve("none"))).startsWith("none");
    }
}
