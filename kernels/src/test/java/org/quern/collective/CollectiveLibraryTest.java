package org.quern.collective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The library in C by itself: its tests in C, as they are and under the sanitizers, and its build.
class CollectiveLibraryTest {
    private static final Path SOURCES = Path.of("src/main/native");

    @TempDir
    private Path folder;

    @BeforeAll
    static void needsACompiler() {
        assumeTrue(SharedMemory.problem().isEmpty(), "needs a C compiler (cc)");
    }

    @ParameterizedTest
    @ValueSource(strings = {"-O3", "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"})
    void passesItsTestsInC(String flags) throws Exception {
        Path program = folder.resolve("collective_test");
        List<String> compiler =
                new ArrayList<>(List.of("cc", "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror"));
        compiler.addAll(List.of(flags.split(" ")));
        compiler.addAll(List.of("-I", SOURCES.toString(), "-o", program.toString()));
        try (var files = Files.list(SOURCES)) {
            files.map(Path::toString).filter(file -> file.endsWith(".c")).forEach(compiler::add);
        }
        compiler.add("src/test/native/collective_test.c");
        assertThat(run(compiler)).isEqualTo("exit 0\n");
        assertThat(run(List.of(program.toString()))).isEqualTo("0 failures\nexit 0\n");
    }

    /// The build on a machine without a compiler.
    @Test
    void isLeftOutWhereThereIsNoCompiler() throws Exception {
        Path output = folder.resolve("library.so");
        String text = run(List.of(
                "env", "-i", "PATH=" + onlyWhatTheScriptNeeds(), "/bin/sh", SOURCES + "/build.sh", output.toString()));
        assertThat(text)
                .isEqualTo(
                        "No shared memory for workers: there is no C compiler (cc) with its headers. On Debian and Ubuntu:"
                                + " apt-get install gcc libc6-dev\nexit 0\n");
        assertThat(output).doesNotExist();
    }

    private Path onlyWhatTheScriptNeeds() throws IOException {
        Path programs = Files.createDirectory(folder.resolve("bin"));
        for (String name : List.of("dirname", "uname")) {
            Path program = Files.writeString(
                    programs.resolve(name), "#!/bin/sh\nPATH=/usr/bin:/bin exec %s \"$@\"\n".formatted(name));
            Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
        }
        return programs;
    }

    @Test
    void saysWhyMemoryCannotBeHadOrJoined() {
        assertThatThrownBy(() -> SharedMemory.create(1, 0, 1024))
                .isInstanceOf(CommunicatorException.class)
                .hasMessageContaining("for 2 to 256 workers");
        SharedMemory memory = SharedMemory.create(2, 7, 1024);
        assertThatThrownBy(() -> SharedMemoryCommunicator.join(memory.name(), 0, 2, 8, TestGroup.PATIENT))
                .hasMessageContaining("is for 2 workers and epoch 7: this worker is one of 2, in epoch 8");
        memory.close();
        memory.close();
        assertThatThrownBy(() -> SharedMemoryCommunicator.join(memory.name(), 0, 2, 7, TestGroup.PATIENT))
                .isInstanceOf(CommunicatorException.class);
    }

    private static String run(List<String> command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return output + "exit " + process.waitFor() + "\n";
    }
}
