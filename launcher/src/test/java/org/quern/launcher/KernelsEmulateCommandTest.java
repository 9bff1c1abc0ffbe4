package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.ExitCode;

class KernelsEmulateCommandTest {
    private static final String IDENTITY = """
            .version 7.4
            .target sm_80
            .address_size 64
            .visible .entry identity(.param .u64 out)
            {
                .reg .b32 thread; .reg .b64 target, offset;
                mov.u32 thread, %tid.x;
                ld.param.u64 target, [out];
                mul.wide.u32 offset, thread, 4;
                add.u64 target, target, offset;
                st.global.u32 [target], thread;
                ret;
            }
            """;

    private final PrintStream systemOut = System.out;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    @TempDir
    private Path folder;

    private String file;

    @BeforeEach
    void write() throws IOException {
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        file = Files.writeString(folder.resolve("identity.ptx"), IDENTITY).toString();
    }

    @AfterEach
    void restore() {
        System.setOut(systemOut);
    }

    private int emulate(String... arguments) {
        String[] all = new String[arguments.length + 3];
        all[0] = "kernels";
        all[1] = "emulate";
        all[2] = file;
        System.arraycopy(arguments, 0, all, 3, arguments.length);
        return Main.run(all);
    }

    @Test
    void printsOutputsAndCounters() {
        assertThat(emulate("--block", "3", "--arg", "out:u32:4", "--async", "lazy"))
                .isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("argument 1, 4 x u32: 0 1 2 ? (1 were not written)", "warp instructions");
    }

    @Test
    void failsIfTheKernelBreaksARule() {
        assertThat(emulate("--block", "5", "--arg", "out:u32:4")).isEqualTo(ExitCode.DO_NOT_RESTART.code());
    }

    @ParameterizedTest
    @ValueSource(strings = {"--grid 0", "--grid 1,1,1,1", "--arg out:u32", "--async soon", "--entry"})
    void rejectsAWrongCommandLine(String arguments) {
        assertThat(emulate(arguments.split(" "))).isEqualTo(64);
    }

    @Test
    void explainsArguments() {
        assertThat(emulate("--help")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("random:u32:1000:50257", "Examples:");
    }
}
