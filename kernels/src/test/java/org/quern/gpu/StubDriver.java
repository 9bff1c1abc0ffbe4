package org.quern.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.opentest4j.TestAbortedException;

/// Runs programs against the driver of `src/test/resources/gpu/driver.c`, which runs no kernels but writes down what is
/// asked of it and fails where it is told to.
final class StubDriver {
    private final Path folder;
    private final Path calls;

    /// Compiles it, or skips the test where there is no C compiler.
    StubDriver(Path folder) throws IOException, InterruptedException {
        this.folder = folder;
        calls = folder.resolve("calls");
        compile("driver.c", CudaDriver.LIBRARY);
    }

    /// Adds the library of matrix products of `src/test/resources/gpu/cublas.c`.
    void addCuBlas() throws IOException, InterruptedException {
        // JCuda's library asks for symbols of this version.
        Path versions = Files.writeString(folder.resolve("versions"), "libcublas.so.12 { global: *; };");
        compile("cublas.c", "libcublas.so.12", "-Wl,--version-script=" + versions);
    }

    private void compile(String source, String library, String... options) throws IOException, InterruptedException {
        Path text = folder.resolve(source);
        try (InputStream in = StubDriver.class.getResourceAsStream("/gpu/" + source)) {
            Files.copy(in, text);
        }
        List<String> command = new ArrayList<>(List.of("cc", "-O1", "-shared", "-fPIC", "-Wl,-soname," + library));
        command.addAll(List.of(options));
        command.addAll(List.of("-o", folder.resolve(library).toString(), text.toString()));
        Process process;
        try {
            process = new ProcessBuilder(command).inheritIO().start();
        } catch (IOException e) {
            throw new TestAbortedException("needs a C compiler (cc) for libraries to test against", e);
        }
        assertThat(process.waitFor()).as("cc's exit status").isZero();
    }

    /// Runs a program's `main` in another JVM.
    ///
    /// @param environment the driver's: `RETURNS`, `COUNT`, `MAJOR`, `VERSION`, ...
    /// @return what it printed and its exit status
    String run(Class<?> main, Map<String, String> environment, String... arguments) throws Exception {
        Files.writeString(calls, "");
        Map<String, String> all = new HashMap<>(environment);
        all.put("LD_LIBRARY_PATH", folder.toString());
        all.put("CALLS", calls.toString());
        return new JavaProcess(all, List.of(), main, arguments).await();
    }

    /// What the last program asked of the driver.
    List<String> calls() throws IOException {
        return Files.readAllLines(calls);
    }
}
