package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.quern.ptx.emulator.EmulatorFault.Kind.MISALIGNED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.READ_ONLY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_REGISTER;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryCheckTest {
    private static final String MY_WORD = "mad.wide.u32 rd0, tid, 4, a0;\n";

    private final Bench bench = new Bench();

    @Test
    void movesValuesOfEveryWidth() {
        long out = bench.output(64);
        long in = bench.ints(0x81828384, 0xf1f2f3f4, 5, 6);
        bench.block(1).run("""
                        ld.global.u8 r0, [a1]; st.global.u32 [a0], r0;
                        ld.global.s8 r0, [a1+1]; st.global.u32 [a0+4], r0;
                        ld.global.u16 h0, [a1+2]; st.global.b16 [a0+8], h0;
                        ld.global.s16 r1, [a1+2]; st.global.b16 [a0+10], r1;
                        ld.global.s16 rd0, [a1+4]; st.global.u64 [a0+16], rd0;
                        ld.global.u64 rd1, [a1]; st.global.b64 [a0+24], rd1;
                        ld.global.v4.u32 {r0,r1,r2,r3}, [a1]; st.global.v4.b32 [a0+32], {r3,r2,r1,r0};
                        ld.global.v4.u8 {r0,r1,r2,r3}, [a1]; st.global.v4.b8 [a0+48], {r3,r2,r1,r0};
                        ld.global.v2.b16 {h0,h1}, [a1]; st.global.v2.b16 [a0+52], {h1,h0};
                        st.global.v2.b64 [a0+48], {rd1,rd1}; mov.u32 r9, 9; st.global.u32 [a0+12], r9;
                        """, out, in);
        assertThat(bench.readInts(out, 16))
                .containsExactly(
                        0x84,
                        0xffffff83,
                        0x81828182,
                        9,
                        0xfffff3f4,
                        -1,
                        0x81828384,
                        0xf1f2f3f4,
                        6,
                        5,
                        0xf1f2f3f4,
                        0x81828384,
                        0x81828384,
                        0xf1f2f3f4,
                        0x81828384,
                        0xf1f2f3f4);
    }

    @Test
    void keepsLanesApart() {
        long out = bench.output(128 * 4);
        bench.block(128).run(MY_WORD + "mul.lo.u32 r0, tid, tid; st.global.u32 [rd0], r0;", out);
        assertThat(bench.readInts(out, 128))
                .isEqualTo(IntStream.range(0, 128).map(i -> i * i).toArray());
    }

    @Test
    void refusesTheByteBehindAnAllocation() {
        long out = bench.output(126);
        assertThat(bench.fault(OUT_OF_BOUNDS, MY_WORD + "st.global.u32 [rd0], tid;", out))
                .hasMessageContaining("snippet, line")
                .hasMessageContaining("st.global.u32 [rd0], tid")
                .hasMessageContaining("block (0, 0, 0), warp 0, thread (31, 0, 0)")
                .hasMessageContaining("4 bytes at %#x: offset 124 of an allocation of 126 bytes".formatted(out + 124));
    }

    @Test
    void refusesTheByteBeforeAnAllocation() {
        long in = bench.ints(1);
        assertThat(bench.fault(OUT_OF_BOUNDS, "ld.global.u8 r0, [a0+-1];", in)).hasMessageContaining("no allocation");
    }

    @Test
    void refusesAddressesThatLostTheirUpperHalf() {
        long in = bench.ints(1);
        bench.fault(OUT_OF_BOUNDS, "cvt.u32.u64 r0, a0; cvt.u64.u32 rd0, r0; ld.global.u32 r1, [rd0];", in);
    }

    @Test
    void refusesFreedMemory() {
        long in = bench.ints(1);
        bench.emulator.free(in);
        bench.fault(OUT_OF_BOUNDS, "ld.global.u32 r1, [a0];", in);
        assertThatThrownBy(() -> bench.emulator.free(in)).isInstanceOf(EmulatorFault.class);
    }

    @Test
    void reachesBeyondFourGibibytes() {
        long bytes = (1L << 32) + 65_536 * 3 + 4;
        long out = bench.output(bytes);
        bench.block(1).run("mov.u32 r0, 7; add.u64 rd0, a0, 4295163904; st.global.u32 [rd0], r0;", out);
        assertThat(bench.readInts(out + bytes - 4, 1)).containsExactly(7);
        assertThatThrownBy(() -> bench.readInts(out, 1)).hasMessageContaining("nothing was written");
    }

    @ParameterizedTest
    @CsvSource({"u16,1", "u32,2", "u64,4", "v2.u32,4", "v4.u32,8", "v2.u64,8"})
    void refusesMisalignedAccess(String type, int offset) {
        long in = bench.ints(1, 2, 3, 4, 5, 6, 7, 8);
        String registers = type.startsWith("v4")
                ? "{r0,r1,r2,r3}"
                : type.equals("v2.u64")
                        ? "{rd0,rd1}"
                        : type.startsWith("v2") ? "{r0,r1}" : type.equals("u64") ? "rd0" : "r0";
        assertThat(bench.fault(MISALIGNED, "ld.global.%s %s, [a0+%d];".formatted(type, registers, offset), in))
                .hasMessageContaining("must be a multiple of");
    }

    @Test
    void refusesUndefinedGlobalMemoryToTheByte() {
        long memory = bench.output(8);
        bench.block(1);
        bench.run("mov.u32 r0, 1; st.global.b16 [a0], r0; st.global.b8 [a0+2], r0;", memory);
        bench.run("ld.global.u16 r0, [a0]; ld.global.u8 r0, [a0+2];", memory);
        assertThat(bench.fault(UNDEFINED_MEMORY, "ld.global.u32 r0, [a0];", memory))
                .hasMessageContaining("reads global memory at %#x, offset 3".formatted(memory + 3));
        bench.fault(UNDEFINED_MEMORY, "ld.global.u8 r0, [a0+4];", memory);
        assertThatThrownBy(() -> bench.readInts(memory, 1))
                .isInstanceOf(EmulatorFault.class)
                .hasMessageContaining("the host reads");
    }

    @Test
    void hostCopiesCarryDefinedness() {
        long from = bench.output(12);
        long to = bench.ints(1, 2, 3);
        bench.emulator.write(from + 4, MemorySegment.ofArray(new int[] {42}));
        bench.emulator.copy(from, to, 12);
        assertThat(bench.readInts(to + 4, 1)).containsExactly(42);
        assertThat(bench.emulator.isDefined(to, 4)).isFalse();
        bench.emulator.fill(to, 12, (byte) 1);
        assertThat(bench.readInts(to, 3)).containsOnly(0x01010101);
        bench.emulator.copy(bench.output(1), to + 5, 1);
        bench.fault(UNDEFINED_MEMORY, "ld.global.u32 r0, [a0+4];", to);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 127, 65_535, 65_536, 65_537, 200_001})
    void hostReadsWhatItWrote(int bytes) {
        byte[] values = new byte[bytes];
        for (int i = 0; i < bytes; i++) {
            values[i] = (byte) (i * 31);
        }
        long memory = bench.output(bytes + 3);
        bench.emulator.write(memory + 3, MemorySegment.ofArray(values));
        byte[] back = new byte[bytes];
        bench.emulator.read(memory + 3, MemorySegment.ofArray(back));
        assertThat(back).isEqualTo(values);
        assertThatThrownBy(() -> bench.emulator.write(memory + 4, MemorySegment.ofArray(values)))
                .hasMessageContaining("the host touches");
    }

    @Test
    void refusesUndefinedSharedMemoryOfEachBlock() {
        // What one block leaves behind, the next one may not read.
        assertThat(bench.grid(2)
                        .fault(
                                UNDEFINED_MEMORY,
                                "mov.u32 r0, %ctaid.x; setp.eq.u32 p0, r0, 0; shl.b32 r1, tid, 2; mov.u32 r2, dyn;"
                                        + "add.u32 r1, r1, r2; @p0 st.shared.u32 [r1], tid; ld.shared.u32 r3, [r1];"))
                .hasMessageContaining("block (1, 0, 0)")
                .hasMessageContaining("reads shared memory at 0x400");
    }

    @Test
    void sharedMemoryEndsWhereTheLaunchSaid() {
        bench.shared(256).block(1);
        bench.run("st.shared.u32 [dyn+252], tid;");
        assertThat(bench.fault(OUT_OF_BOUNDS, "st.shared.u32 [dyn+256], tid;"))
                .hasMessageContaining("outside of the 256 bytes");
        bench.fault(OUT_OF_BOUNDS, "mov.u32 r0, 0; st.shared.u32 [r0], tid;");
    }

    @Test
    void staticVariablesLieBeforeDynamicMemory() {
        long out = bench.output(12);
        bench.declare(".shared .align 4 .b8 first[20];\n.shared .align 16 .b8 second[4];")
                .block(1)
                .run("""
                        mov.u32 r0, first; mov.u32 r1, second; mov.u32 r2, dyn;
                        st.global.u32 [a0], r0; st.global.u32 [a0+4], r1; st.global.u32 [a0+8], r2;
                        """, out);
        assertThat(bench.readInts(out, 3)).containsExactly(1024, 1056, 2048);
    }

    @Test
    void localMemoryIsTheThreadsOwn() {
        long out = bench.output(128);
        bench.run(
                ".local .align 8 .b8 mine[16]; st.local.u32 [mine+4], tid; mov.u32 r0, 7; st.local.b8 [mine+5], r0;"
                        + MY_WORD
                        + "ld.local.u32 r1, [mine+4]; st.global.u32 [rd0], r1;",
                out);
        assertThat(bench.readInts(out, 32))
                .isEqualTo(IntStream.range(0, 32).map(i -> i + 0x700).toArray());
        bench.fault(UNDEFINED_MEMORY, ".local .b32 mine; ld.local.u32 r0, [mine];");
        bench.fault(OUT_OF_BOUNDS, ".local .b32 mine; ld.local.u32 r0, [mine+4];");
    }

    @Test
    void genericAddressesReachEverySpace() {
        long out = bench.ints(1, 2, 3);
        bench.block(1).run("""
                        .local .b32 mine;
                        cvta.shared.u64 rd0, dyn; cvta.local.u64 rd1, mine; cvta.global.u64 rd2, a0;
                        mov.u32 r0, 11; st.u32 [rd0], r0; mov.u32 r0, 12; st.u32 [rd1], r0; ld.u32 r5, [rd2];
                        ld.shared.u32 r1, [dyn]; ld.local.u32 r2, [mine]; st.u32 [rd2+4], r1; st.u32 [rd2+8], r2;
                        isspacep.shared p0, rd0; @!p0 trap; isspacep.shared p0, rd2; @p0 trap;
                        isspacep.global p0, rd2; @!p0 trap;
                        cvta.to.shared.u64 rd3, rd0; ld.shared.u32 r3, [rd3]; setp.ne.u32 p0, r3, 11; @p0 trap;
                        """, out);
        assertThat(bench.readInts(out, 3)).containsExactly(1, 11, 12);
    }

    @Test
    void genericAccessMayMixSpaces() {
        long out = bench.output(128);
        bench.run(
                "cvta.shared.u64 rd0, dyn; and.b32 r0, tid, 1; setp.eq.u32 p0, r0, 0; selp.b64 rd1, rd0, a0, p0;"
                        + "mad.wide.u32 rd1, tid, 4, rd1; st.u32 [rd1], tid; ld.u32 r1, [rd1];"
                        + "setp.ne.u32 p1, r1, tid; @p1 trap; bar.warp.sync -1; @p0 ld.shared.u32 r2, [dyn];",
                out);
        int[] odd = new int[16];
        for (int i = 0; i < 16; i++) {
            odd[i] = bench.readInts(out + 8 * i + 4, 1)[0];
        }
        assertThat(odd).isEqualTo(IntStream.range(0, 16).map(i -> 2 * i + 1).toArray());
    }

    @Test
    void modulesMayHaveVariables() {
        long out = bench.output(8);
        bench.declare(".global .align 4 .u32 counter = 5;\n.const .align 4 .u32 table[2] = {6, 7};")
                .block(1)
                .run("ld.global.u32 r0, [counter]; ld.const.u32 r1, [table+4]; st.global.v2.u32 [a0], {r0, r1};", out);
        assertThat(bench.readInts(out, 2)).containsExactly(5, 7);
        assertThat(bench.fault(READ_ONLY, "st.const.u32 [table], tid;")).hasMessageContaining("constant memory");
        bench.fault(OUT_OF_BOUNDS, "ld.const.u32 r1, [table+8];");
    }

    @Test
    void parametersEndWithTheLast() {
        bench.fault(OUT_OF_BOUNDS, "ld.param.u32 r0, [p_0+8];", 1);
    }

    @Test
    void constantLoadsDoNotMeetWrites() {
        long memory = bench.ints(1, 2);
        bench.block(1);
        assertThat(bench.fault(READ_ONLY, "st.global.u32 [a0], tid; ld.global.nc.u32 r0, [a0];", memory))
                .hasMessageContaining("as memory that nobody writes: so do .nc and tensor maps");
        assertThat(bench.fault(READ_ONLY, "ld.global.nc.u32 r0, [a0]; st.global.u32 [a0], tid;", memory))
                .hasMessageContaining("read at line");
        bench.run("ld.global.nc.u32 r0, [a0]; st.global.u32 [a0+4], r0;", memory);
        bench.run("ld.global.nc.u32 r0, [a0+4];", memory);
    }

    @Test
    void refusesUndefinedRegisters() {
        long out = bench.output(128);
        assertThat(bench.fault(UNDEFINED_REGISTER, MY_WORD + "st.global.u32 [rd0], r7;", out))
                .hasMessageContaining("r7");
        bench.fault(UNDEFINED_REGISTER, "ld.global.u32 r0, [rd9];", out);
        assertThat(bench.fault(UNDEFINED_REGISTER, "@p3 mov.u32 r0, 1;")).hasMessageContaining("p3");
        // Lanes that did not write it have nothing to read.
        assertThat(bench.fault(
                        UNDEFINED_REGISTER,
                        "setp.lt.u32 p0, tid, 16; @p0 mov.u32 r0, 1;" + MY_WORD + "st.global.u32 [rd0], r0;",
                        out))
                .hasMessageContaining("lane 16");
    }

    @Test
    void namesTheFirstInstructionThatItDoesNotKnow() {
        assertThat(bench.fault(UNSUPPORTED, "add.u32 r0, tid, 1; tcgen05.wait::ld.sync.aligned;"))
                .hasMessageContaining("tcgen05.wait::ld.sync.aligned: the emulator does not know this instruction");
        assertThat(bench.fault(UNSUPPORTED, "add.u32 r0, tid, 1; wgmma.fence.sync.aligned;"))
                .hasMessageContaining("wgmma.fence.sync.aligned: needs .target sm_90a, not sm_80");
        assertThat(bench.fault(UNSUPPORTED, "ld.global.sideways.u32 r0, [a0];", 0))
                .hasMessageContaining("does not know .sideways");
    }

    @Test
    void trapsNameTheLine() {
        EmulatorFault fault = bench.fault(TRAP, "\n\nsetp.eq.u32 p0, tid, 3;\n@p0 trap;");
        assertThat(fault).hasMessageContaining("@p0 trap").hasMessageContaining("thread (3, 0, 0)");
        assertThat(fault.line())
                .isEqualTo(
                        Arrays.asList(Bench.module("", "", "\n\n\n@p0 trap;", 0).split("\n"))
                                        .indexOf("@p0 trap;")
                                + 1);
    }

    @Test
    void hintsChangeNothing() {
        long memory = bench.ints(1, 2, 3, 4);
        bench.block(1).run("""
                        createpolicy.fractional.L2::evict_last.b64 rd1, 1.0;
                        ld.global.cs.u32 r0, [a0]; ld.global.L1::no_allocate.L2::128B.v4.u32 {r0,r1,r2,r3}, [a0];
                        ld.global.L1::evict_last.u32 r0, [a0]; st.global.wt.u32 [a0], r0; st.global.cg.u32 [a0], r0;
                        ld.global.L2::cache_hint.u32 r0, [a0], rd1; prefetch.global.L2 [a0]; nanosleep.u32 20;
                        """, memory);
    }

    @Test
    void policiesAreOfTheLanesThatMakeThem() {
        long out = bench.output(32 * 8);
        bench.run("""
                mov.u64 rd1, 7; setp.lt.u32 p0, tid, 3; @p0 createpolicy.fractional.L2::evict_last.b64 rd1, 1.0;
                mad.wide.u32 rd0, tid, 8, a0; st.global.u64 [rd0], rd1;
                """, out);
        assertThat(bench.readInts(out, 64)[6]).isEqualTo(7);
    }
}
