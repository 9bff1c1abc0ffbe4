package org.quern.train.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordFileTest {
    @TempDir
    Path folder;

    @Test
    void goesOnWhenTheDiskIsFull() throws IOException {
        Path full = Path.of("/dev/full");
        assumeTrue(Files.exists(full));
        Path link = Files.createSymbolicLink(folder.resolve("file"), full);
        try (RecordFile file = new RecordFile(link)) {
            assertThatCode(() -> {
                        file.append(bytes("one"));
                        file.append(bytes("two"));
                    })
                    .doesNotThrowAnyException();
        }
    }

    @Test
    void goesOnAtTheEnd() throws IOException {
        Path path = folder.resolve("new/file");
        try (RecordFile file = new RecordFile(path)) {
            file.append(bytes("one"));
        }
        try (RecordFile file = new RecordFile(path)) {
            file.append(bytes("two"));
        }
        assertThat(path).hasContent("onetwo");
    }

    @Test
    void writesThoughTheThreadIsInterrupted() {
        Path path = folder.resolve("file");
        try (RecordFile file = new RecordFile(path)) {
            Thread.currentThread().interrupt();
            file.append(bytes("one"));
            file.append(bytes("two"));
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
        assertThat(path).hasContent("onetwo");
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
