package org.quern.launcher.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.gpu.GpuException;
import org.quern.kernels.bench.KernelBenchmark;
import org.quern.kernels.bench.Timing;

class TorchRivalTest {
    @TempDir
    private Path folder;

    /// Something that can be started like a Python; it gets `-c`, the program and its arguments.
    private String python(String script) throws IOException {
        Path file = folder.resolve("python");
        Files.writeString(file, "#!/bin/sh\n" + script);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
        return file.toString();
    }

    private static KernelBenchmark asking(Map<String, Object> question) {
        return new KernelBenchmark("gelu 8", "gelu", 0, 32, (_, _) -> _ -> {}, Map.of(), question);
    }

    @Test
    void asksAndUnderstands() throws IOException {
        String python = python("""
                test -e "${0%/*}/question" && exit 1
                echo '{"torch": "2.13"}'
                read -r question
                printf '%s' "$question" > "${0%/*}/question"
                echo '{"times": {"flash": [2e-5, 1e-5, 3e-5], "cuDNN": [1.0]}}'
                read -r question
                echo '{"error": "out of memory"}'
                """);
        try (TorchRival rival = new TorchRival(python, "cuda:0")) {
            assertThat(rival.version()).isEqualTo("2.13");
            assertThat(rival.time(asking(Map.of("op", "gelu")), 0.25))
                    .containsExactlyInAnyOrderEntriesOf(Map.of(
                            "PyTorch flash",
                            new Timing(List.of(1e-5, 2e-5, 3e-5)),
                            "PyTorch cuDNN",
                            new Timing(List.of(1.0))));
            assertThat(folder.resolve("question")).hasContent("{\"op\":\"gelu\",\"seconds\":0.25}");
            assertThat(rival.time(asking(Map.of()), 1)).isEmpty();
            assertThatThrownBy(() -> rival.time(asking(Map.of("op", "gelu")), 1))
                    .isInstanceOf(GpuException.class)
                    .hasMessage("out of memory");
            assertThatThrownBy(() -> rival.time(asking(Map.of("op", "gelu")), 1))
                    .isInstanceOf(GpuException.class)
                    .hasMessageContaining("ended");
        }
    }

    @Test
    void startsAgainWhereTheDeviceFailed() throws IOException {
        String python = python("""
                echo x >> "${0%/*}/starts"
                echo '{"torch": "2.13"}'
                read -r question
                echo '{"times": {"torch": [1.0]}}'
                """);
        try (TorchRival rival = new TorchRival(python, "cuda:0")) {
            for (int i = 0; i < 3; i++) {
                assertThat(rival.time(asking(Map.of("op", "gelu")), 1)).containsOnlyKeys("PyTorch");
            }
            assertThatThrownBy(() -> rival.time(asking(Map.of("op", "gelu")), 1))
                    .isInstanceOf(GpuException.class)
                    .hasMessageContaining("ended");
        }
        assertThat(folder.resolve("starts")).hasContent("x\nx\nx");
    }

    @Test
    void saysWhyItCannotStart() throws IOException {
        String missing = folder.resolve("none").toString();
        assertThatThrownBy(() -> new TorchRival(missing, "cuda:0"))
                .isInstanceOf(GpuException.class)
                .hasMessageContaining(missing + " cannot be run");
        String ends = python("exit 1");
        assertThatThrownBy(() -> new TorchRival(ends, "cuda:0"))
                .isInstanceOf(GpuException.class)
                .hasMessageContaining("It needs torch");
        String talks = python("echo hello");
        assertThatThrownBy(() -> new TorchRival(talks, "cuda:0"))
                .isInstanceOf(GpuException.class)
                .hasMessageContaining("printed no JSON");
    }
}
