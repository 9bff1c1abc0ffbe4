package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.gpu.GpuException;
import org.quern.gpu.Launch.Dim;

class EmulationTest {
    private static final String SCALE = """
            .version 7.4
            .target sm_80
            .address_size 64
            // out[i] = factor x[i]
            .visible .entry scale(.param .u64 out, .param .u64 x, .param .f32 factor, .param .u32 n)
            {
                .reg .pred outside; .reg .b32 i, block, size, n_; .reg .b64 source, target, offset; .reg .f32 value, factor_;
                mov.u32 i, %tid.x; mov.u32 block, %ctaid.x; mov.u32 size, %ntid.x;
                mad.lo.u32 i, block, size, i;
                ld.param.u32 n_, [n];
                setp.ge.u32 outside, i, n_;
                @outside ret;
                ld.param.u64 source, [x]; ld.param.u64 target, [out]; ld.param.f32 factor_, [factor];
                mul.wide.u32 offset, i, 4;
                add.u64 source, source, offset; add.u64 target, target, offset;
                ld.global.f32 value, [source]; // the load
                mul.f32 value, value, factor_;
                st.global.f32 [target], value;
                ret;
            }
            """;

    private static Emulation run(String... arguments) throws IOException {
        List<KernelArgument> parsed =
                Arrays.stream(arguments).map(KernelArgument::parse).toList();
        return Emulation.run(new Emulation.Launch(SCALE, "", Dim.of(2), Dim.of(64), 0, parsed), Options.DEFAULT);
    }

    private static float[] floats(byte[] bytes) {
        float[] floats = new float[bytes.length / 4];
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats);
        return floats;
    }

    @Test
    void runsAKernelOnNumbersFromTheCommandLine() throws IOException {
        Emulation emulation = run("out:f32:3", "values:f32:1,-2.5,1e3", "f32:0.5", "u32:3");
        assertThat(floats(emulation.output(0))).containsExactly(0.5f, -1.25f, 500);
        assertThat(emulation.report())
                .contains("argument 1, 3 x f32: 0.5 -1.25 500.0")
                .contains("3 floating-point operations")
                .contains("2 requests for 24 bytes touched 2 sectors");
    }

    @Test
    void otherKernelsOfTheFileMayBeUnknown() throws IOException {
        String ptx = SCALE + ".visible .entry other() { tcgen05.wait::ld.sync.aligned; }\n";
        List<KernelArgument> arguments = Stream.of("out:f32:1", "values:f32:3", "f32:2", "u32:1")
                .map(KernelArgument::parse)
                .toList();
        Emulation emulation =
                Emulation.run(new Emulation.Launch(ptx, "scale", Dim.of(1), Dim.of(32), 0, arguments), Options.DEFAULT);
        assertThat(floats(emulation.output(0))).containsExactly(6);
        assertThatThrownBy(() -> Emulation.run(
                        new Emulation.Launch(ptx, "other", Dim.of(1), Dim.of(32), 0, List.of()), Options.DEFAULT))
                .hasMessageContaining("tcgen05.wait::ld.sync.aligned: the emulator does not know this instruction");
    }

    @Test
    void readsAndWritesFiles(@TempDir Path folder) throws IOException {
        Path in = folder.resolve("in.bin");
        Path out = folder.resolve("out.bin");
        byte[] bytes = new byte[400];
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(99, 7);
        Files.write(in, bytes);
        run("out:f32:100:" + out, "in:f32:" + in, "f32:2", "u32:100").writeOutputs();
        assertThat(floats(Files.readAllBytes(out))[99]).isEqualTo(14);
    }

    @Test
    void randomNumbersAreThoseOfTheSeed() throws IOException {
        byte[] once = run("out:f32:100", "random:f32:100", "f32:1", "u32:100").output(0);
        byte[] again = run("out:f32:100", "random:f32:100", "f32:1", "u32:100").output(0);
        assertThat(once).isEqualTo(again);
        assertThat(floats(once)).doesNotHaveDuplicates();
    }

    @Test
    void showsWhatWasNotWritten() throws IOException {
        Emulation emulation = run("out:f32:5", "random:f32:5", "f32:1", "u32:3");
        assertThat(emulation.report()).containsPattern("1, 5 x f32: \\S+ \\S+ \\S+ \\? \\? \\(2 were not written\\)");
        assertThatThrownBy(() -> emulation.output(0)).isInstanceOf(GpuException.class);
        Emulation zeroed = run("zeros:f32:5", "random:f32:5", "f32:1", "u32:3");
        assertThat(floats(zeroed.output(0))[4]).isZero();
    }

    @Test
    void explainsABrokenRuleWithItsLine() {
        assertThatThrownBy(() -> run("out:f32:100", "random:f32:99", "f32:1", "u32:100"))
                .isInstanceOf(GpuException.class)
                .hasMessageStartingWith("out of bounds: scale, line 16")
                .hasMessageContaining("block (1, 0, 0), warp 1, thread (35, 0, 0)")
                .hasMessageEndingWith("    16 |     ld.global.f32 value, [source]; // the load");
    }

    @Test
    void namesTheFirstInstructionItDoesNotKnow() {
        String ptx = SCALE.replace("mul.f32 value", "mul.rz.f32 value");
        assertThatThrownBy(() -> Emulation.run(
                        new Emulation.Launch(ptx, "scale", Dim.of(1), Dim.of(32), 0, arguments()), Options.DEFAULT))
                .isInstanceOf(GpuException.class)
                .hasMessageContaining("unsupported: scale, line 17: mul.rz.f32: .rz is not supported here");
    }

    private static List<KernelArgument> arguments() {
        return List.of(
                KernelArgument.parse("out:f32:1"),
                KernelArgument.parse("zeros:f32:1"),
                KernelArgument.parse("f32:1"),
                KernelArgument.parse("u32:1"));
    }

    @Test
    void refusesArgumentsThatDoNotFitTheKernel() {
        assertThatThrownBy(() -> run("u32:1"))
                .hasMessage("scale takes 4 arguments (u64 out, u64 x, f32 factor, u32 n): got 1");
        assertThatThrownBy(() -> run("out:f32:1", "zeros:f32:1", "f64:1", "u32:1"))
                .hasMessage("argument 3: factor of scale has 4 bytes: got 8");
        assertThatThrownBy(() -> run("out:f32:1", "zeros:f32:1", "out:f32:1", "u32:1"))
                .hasMessage("argument 3: factor of scale has 4 bytes: got an address of 8");
        assertThatThrownBy(() -> Emulation.run(
                        new Emulation.Launch(SCALE, "other", Dim.of(1), Dim.of(1), 0, List.of()), Options.DEFAULT))
                .hasMessage("the file has no kernel other, but: scale");
    }

    @ParameterizedTest
    @CsvSource({
        "u32:5, u32, 5",
        "u32:-1, u32, 4294967295",
        "s32:-1, s32, -1",
        "u64:18446744073709551615, u64, 18446744073709551615",
        "b16:0xBEEF, b16, 0xbeef",
        "f32:1.5, f32, 1.5",
        "bf16:1.001, bf16, 1.0",
        "f16:65504, f16, 65504.0",
        "f64:1e-300, f64, 1.0E-300",
        "s8:-128, s8, -128"
    })
    void readsNumbers(String text, String type, String shown) {
        KernelArgument.Scalar scalar = (KernelArgument.Scalar) KernelArgument.parse(text);
        assertThat(scalar.type().text()).isEqualTo(type);
        long mask = -1L >>> 64 - 8 * scalar.type().bytes();
        assertThat(KernelArgument.text(scalar.type(), scalar.bits() & mask)).isEqualTo(shown);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "5",
                "u33:5",
                "pred:1",
                "u32:x",
                "u8:256",
                "f32:one",
                "out:f32",
                "out:f32:0",
                "out:f32:3000000000",
                "some:f32:3",
                "values:u32:1,,2",
                "random:u32:10:-5"
            })
    void refusesWhatIsNoArgument(String text) {
        assertThatThrownBy(() -> KernelArgument.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }
}
