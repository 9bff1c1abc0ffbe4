package org.quern.gpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Runs programs against the driver of `src/test/resources/gpu/driver.c`, which runs no kernels but writes down
/// what is asked of it and fails where it is told to.
final class StubDriver {
    private final Path folder;
    private final Path calls;

    /// Compiles it, or skips the test where there is no C compiler.
    StubDriver(Path folder) throws IOException, InterruptedException {
        this.folder = folder;
        calls = folder.resolve("calls");
        StubLibrary.compile(folder, "/gpu/driver.c", CudaDriver.LIBRARY);
    }

    /// Adds the library of matrix products of `src/test/resources/gpu/cublas.c`.
    void addCuBlas() throws IOException, InterruptedException {
        // JCuda's library asks for symbols of this version.
        Path versions = Files.writeString(folder.resolve("versions"), "libcublas.so.12 { global: *; };");
        StubLibrary.compile(folder, "/gpu/cublas.c", "libcublas.so.12", "-Wl,--version-script=" + versions);
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
