package org.quern.ptx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.gpu.GpuException;

class AssemblerTest {
    private static final String FILL = PtxTemplate.expand(KernelVariant.of("fill.sm_80", "bytes", 4));

    /// The library always; `ptxas` where this machine has one.
    static Stream<Assembler> assemblers() {
        return Stream.concat(Stream.of(CompilerLibrary.get()), Ptxas.inPath(System.getenv("PATH")).stream());
    }

    @ParameterizedTest
    @MethodSource("assemblers")
    void assemblesAndTellsWhatAKernelNeeds(Assembler assembler) {
        for (String architecture : new String[] {"sm_80", "sm_90"}) {
            Assembled assembled = assembler.assemble("fill", FILL, architecture);
            assertThat(assembled.cubin()).startsWith(0x7F, 'E', 'L', 'F');
            assertThat(assembled.kernels()).containsOnlyKeys("fill");
            ResourceUsage usage = assembled.kernels().get("fill");
            assertThat(usage.registers()).isBetween(8, 24);
            assertThat(usage.stackBytes()).isZero();
            assertThat(usage.sharedBytes()).isZero();
        }
    }

    @ParameterizedTest
    @MethodSource("assemblers")
    void tellsTheNeedsOfEachKernelApart(Assembler assembler) {
        String text = """
                .version 7.4
                .target sm_80
                .address_size 64
                .visible .entry one(.param .u64 p) { .shared .align 4 .b8 tile[4096]; .reg .b64 a; .reg .b32 b;
                    mov.u32 b, tile; ld.shared.u32 b, [b]; ld.param.u64 a, [p]; st.global.u32 [a], b; ret; }
                .visible .entry two(.param .u64 p) { ret; }
                """;
        Map<String, ResourceUsage> kernels =
                assembler.assemble("two kernels", text, "sm_80").kernels();
        assertThat(kernels.get("one").sharedBytes()).isEqualTo(4096);
        assertThat(kernels.get("two").sharedBytes()).isZero();
    }

    @ParameterizedTest
    @MethodSource("assemblers")
    void showsTheLinesThatAreWrong(Assembler assembler) {
        String text = FILL.replace("mul.wide.u32", "mull.wide.u32");
        assertThatThrownBy(() -> assembler.assemble("fill.sm_80(bytes=4)", text, "sm_80"))
                .isInstanceOf(GpuException.class)
                .hasMessageStartingWith(
                        "fill.sm_80(bytes=4) does not assemble for sm_80 with %s:\n".formatted(assembler.name()))
                .hasMessageContaining(
                        ": Not a name of any known instruction: 'mull'\n    mull.wide.u32 %first, %thread, 4;");
    }

    @ParameterizedTest
    @MethodSource("assemblers")
    void refusesSpills(Assembler assembler) {
        StringBuilder text = new StringBuilder("""
                .version 7.4
                .target sm_80
                .address_size 64
                .visible .entry crowded(.param .u64 p) .maxntid 128, 1, 1 .maxnreg 24
                { .reg .b64 a; .reg .f32 f<64>; ld.param.u64 a, [p];
                """);
        for (int i = 0; i < 64; i++) {
            text.append("ld.volatile.global.f32 f%d, [a+%d];\n".formatted(i, 4 * i));
        }
        for (int i = 0; i < 64; i++) {
            text.append("st.volatile.global.f32 [a+%d], f%d;\n".formatted(4 * i, 63 - i));
        }
        assertThatThrownBy(
                        () -> assembler.assemble("file", text.append("ret; }").toString(), "sm_80"))
                .isInstanceOf(GpuException.class)
                .hasMessageMatching(
                        "file: crowded spills registers on sm_80 with .*: \\d+ bytes stored, \\d+ loaded a thread");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(C7508) Potential Performance Loss: 'setmaxnreg' ignored to maintain compatibility across compilation units",
                "(C7512) Potential Performance Loss: wgmma.mma_async instructions are serialized due to insufficient register"
                        + " resources in function 'attention'",
                "(C7515) Potential Performance Loss: wgmma.mma_async instructions are serialized due to non wgmma"
                        + " instructions defining accumulator registers of a wgmma in the function 'attention'"
            })
    void takesSlowCodeForAnError(String damage) {
        String log = "ptxas info    : " + damage + "\n";
        assertThatThrownBy(() -> AssemblerLog.usage("attention.sm_90a", "sm_90a", "ptxas 13.0.88", log))
                .hasMessageStartingWith("attention.sm_90a assembled for sm_90a with ptxas 13.0.88 would be slow:\n")
                .hasMessageContaining(damage);
    }

    @Test
    void choosesTheLibraryForWhatItKnows() {
        Assembler.Choice choice = Assembler.choose(FILL, "sm_90", Map.of());
        assertThat(choice.assembler()).containsInstanceOf(CompilerLibrary.class);
        assertThat(choice.reason()).isEqualTo("it comes with Quern");
    }

    @Test
    void leavesTheRestToTheDriver() {
        Assembler.Choice architecture = Assembler.choose(FILL, "sm_120", Map.of());
        assertThat(architecture.assembler()).isEmpty();
        assertThat(architecture.reason())
                .isEqualTo("the library that comes with Quern does not know sm_120, and there is no ptxas in PATH"
                        + " (QUERN_PTXAS may name one)");
        Assembler.Choice version = Assembler.choose(FILL.replace(".version 7.4", ".version 8.6"), "sm_90", Map.of());
        assertThat(version.assembler()).isEmpty();
        assertThat(version.reason()).startsWith("the library that comes with Quern does not know PTX 8.6");
    }

    @Test
    void usesPtxasForNewerArchitectures() {
        String path = System.getenv("PATH");
        assumeTrue(Ptxas.inPath(path).isPresent(), "needs ptxas in PATH");
        Assembler.Choice choice = Assembler.choose(FILL, "sm_120", Map.of("PATH", path));
        assertThat(choice.assembler()
                        .orElseThrow()
                        .assemble("fill", FILL, "sm_120")
                        .kernels())
                .containsOnlyKeys("fill");
    }

    @Test
    void refusesAProgramThatIsNoPtxas(@TempDir Path folder) throws Exception {
        Path program = Files.writeString(folder.resolve("ptxas"), "#!/bin/sh\necho hello\n");
        assertThat(program.toFile().setExecutable(true)).isTrue();
        assertThatThrownBy(() -> Assembler.choose(FILL, "sm_80", Map.of("QUERN_PTXAS", program.toString())))
                .isInstanceOf(GpuException.class)
                .hasMessage(program + " is no ptxas: it does not tell its version");
        assertThatThrownBy(() -> Assembler.choose(FILL, "sm_80", Map.of("QUERN_PTXAS", folder + "/absent")))
                .hasMessageStartingWith(folder + "/absent cannot be run: ");
    }
}
