package org.quern.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.opentest4j.TestAbortedException;

/// Stand-ins for libraries that this machine need not have, made of C in `src/test/resources`.
public final class StubLibrary {
    private StubLibrary() {}

    /// Compiles one, or skips the test where there is no C compiler.
    ///
    /// @param folder where it goes
    /// @param source a resource
    /// @param name of the library's file
    /// @param options of the compiler, beside what every library needs
    public static Path compile(Path folder, String source, String name, String... options)
            throws IOException, InterruptedException {
        Path text = folder.resolve(name + ".c");
        try (InputStream in = StubLibrary.class.getResourceAsStream(source)) {
            Files.copy(in, text);
        }
        Path library = folder.resolve(name);
        List<String> command =
                new ArrayList<>(List.of("cc", "-O1", "-shared", "-fPIC", "-pthread", "-Wl,-soname," + name));
        command.addAll(List.of(options));
        command.addAll(List.of("-o", library.toString(), text.toString()));
        Process process;
        try {
            process = new ProcessBuilder(command).inheritIO().start();
        } catch (IOException e) {
            throw new TestAbortedException("needs a C compiler (cc) for libraries to test against", e);
        }
        assertThat(process.waitFor()).as("cc's exit status").isZero();
        return library;
    }
}
