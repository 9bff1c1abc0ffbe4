package org.quern.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class QuernExceptionTest {
    @TempDir
    private Path folder;

    @Test
    void saysWhyFilesFail() throws IOException {
        Path file = folder.resolve("a");
        assertReason(() -> Files.readString(file), file + " is not there");
        Files.write(file, new byte[] {(byte) 0xff});
        assertReason(() -> Files.readString(file), "it is not UTF-8");
        assertReason(() -> Files.createFile(file), file + " is there already");
        assertReason(() -> Files.list(file).close(), file + " is no folder");
        assertReason(() -> Files.delete(folder), folder + " is not empty");
    }

    @Test
    void saysWhyOthersFail() {
        assertThat(QuernException.reason(new UncheckedIOException(new UnknownHostException("h.example"))))
                .isEqualTo("no host is known as h.example");
        assertThat(QuernException.reason(new InterruptedException())).isEqualTo("InterruptedException");
        assertThat(QuernException.io("cannot read x", new IOException("too tired")))
                .hasMessage("cannot read x: too tired");
        assertThat(QuernException.io("cannot read x", new IOException("too tired"), "sleep"))
                .hasMessage("cannot read x (too tired): sleep");
    }

    private static void assertReason(ThrowingCallable failing, String reason) {
        assertThatThrownBy(failing)
                .satisfies(failure -> assertThat(QuernException.reason(failure)).isEqualTo(reason));
    }
}
