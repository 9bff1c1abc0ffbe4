package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.MISALIGNED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AtomicTest {
    private final Bench bench = new Bench();

    /// Each of four lanes applies the operation with an operand of its own to the same word.
    @ParameterizedTest
    @CsvSource({
        "add,u32,5,1:2:3:4,15",
        "add,s32,5,-1:-2:-3:-4,-5",
        "min,s32,5,-1:7:-3:4,-3",
        "min,u32,5,-1:7:-3:4,4",
        "max,s32,5,-1:7:-3:4,7",
        "max,u32,5,-1:7:-3:4,-1",
        "and,b32,255,15:253:127:255,13",
        "or,b32,1,2:4:8:16,31",
        "xor,b32,1,1:4:4:16,16",
        "exch,b32,1,2:3:4:5,5",
        "inc,u32,2,3:3:3:3,2",
        "dec,u32,2,3:3:3:3,2",
        "dec,u32,9,3:3:3:3,0",
    })
    void combinesInGlobalAndSharedMemory(String operation, String type, int start, String operands, int expected) {
        int[] values =
                Arrays.stream(operands.split(":")).mapToInt(Integer::parseInt).toArray();
        int first = start;
        for (String space : new String[] {"global", "shared", "generic"}) {
            Bench each = new Bench().block(4);
            long word = each.ints(start);
            long out = each.output(20);
            String address = space.equals("shared") ? "dyn" : "a0";
            String suffix = space.equals("generic") ? "" : "." + space;
            each.run(
                    "mad.wide.u32 rd0, tid, 4, a1; ld.global.u32 r1, [rd0]; setp.eq.u32 p0, tid, 0; mov.u32 r5, %d;"
                                    .formatted(start)
                            + "@p0 st.shared.u32 [dyn], r5; bar.sync 0;"
                            + "atom%s.%s.%s r2, [%s], r1; bar.sync 0;".formatted(suffix, operation, type, address)
                            + "mad.wide.u32 rd0, tid, 4, a2; st.global.u32 [rd0], r2;"
                            + "ld%s.u32 r3, [%s]; @p0 st.global.u32 [a2+16], r3;".formatted(suffix, address),
                    word,
                    each.ints(values),
                    out);
            int[] results = each.readInts(out, 5);
            assertThat(results[0]).as("what the first lane finds").isEqualTo(first);
            assertThat(results[4]).as(space).isEqualTo(expected);
        }
    }

    @Test
    void combinesSixtyFourBits() {
        long word = bench.longs(1L << 40, 7, 3, -1L);
        bench.run("""
                cvt.u64.u32 rd1, tid; atom.global.add.u64 rd2, [a0], rd1;
                mov.u64 rd3, 99; atom.global.max.u64 rd2, [a0+8], rd3; atom.global.min.s64 rd2, [a0+16], -5;
                atom.global.exch.b64 rd2, [a0+24], 4294967297;
                """, word);
        assertThat(bench.readInts(word, 8)).containsExactly(496, 256, 99, 0, -5, -1, 1, 1);
    }

    @Test
    void addsFloats() {
        long words = bench.floats(0.5f, 0);
        bench.run(
                "cvt.rn.f32.u32 f0, tid; red.global.add.f32 [a0], f0; atom.global.add.f32 f1, [a0+4], 0f3F800000;",
                words);
        assertThat(bench.readFloats(words, 2)).containsExactly(496.5f, 32);
        long wide = bench.longs(Double.doubleToRawLongBits(0.25));
        bench.run("mov.f64 d0, 0d3FF0000000000000; red.global.add.f64 [a0], d0;", wide);
        assertThat(bench.readInts(wide, 2)[1]).isEqualTo((int) (Double.doubleToRawLongBits(32.25) >>> 32));
    }

    @Test
    void swapsIfEqual() {
        // A lock: lanes take turns to count.
        long memory = bench.ints(0, 0);
        bench.block(64).run("""
                TAKE: atom.global.cas.b32 r0, [a0], 0, 1; setp.ne.u32 p0, r0, 0; @p0 bra TAKE;
                membar.gl; ld.volatile.global.u32 r1, [a0+4]; add.u32 r1, r1, 1; st.volatile.global.u32 [a0+4], r1;
                membar.gl; atom.global.exch.b32 r0, [a0], 0;
                """, memory);
        assertThat(bench.readInts(memory, 2)).containsExactly(0, 64);
    }

    @Test
    void lanesTakeTheirTurnInOrder() {
        long word = bench.ints(0);
        long out = bench.output(128);
        bench.run("atom.global.add.u32 r0, [a0], 1; mad.wide.u32 rd0, tid, 4, a1; st.global.u32 [rd0], r0;", word, out);
        assertThat(bench.readInts(out, 32)).isEqualTo(IntStream.range(0, 32).toArray());
    }

    @Test
    void areChecked() {
        bench.block(1);
        bench.fault(UNDEFINED_MEMORY, "red.global.add.u32 [a0], 1;", bench.output(4));
        bench.fault(UNDEFINED_MEMORY, "red.shared.add.u32 [dyn], 1;");
        bench.fault(OUT_OF_BOUNDS, "red.global.add.u32 [a0+4], 1;", bench.ints(1));
        bench.fault(MISALIGNED, "red.global.add.u32 [a0+2], 1;", bench.ints(1, 2));
        assertThat(bench.fault(UNSUPPORTED, "red.global.inc.s32 [a0], 1;", 0))
                .hasMessageContaining(".inc has no type .s32");
    }

    @Test
    void plainAccessesToTheSameWordAreRaces() {
        Bench block = new Bench().block(64);
        String zero = "setp.eq.u32 p0, tid, 0; mov.u32 r0, 0; @p0 st.shared.u32 [dyn], r0; bar.sync 0;";
        String count = "atom.shared.add.u32 r1, [dyn], 1;";
        block.run(zero + count + "bar.sync 0; ld.shared.u32 r2, [dyn]; setp.ne.u32 p1, r2, 64; @p1 trap;");
        block.fault(RACE, zero + count + "ld.shared.u32 r2, [dyn];");
        block.fault(RACE, zero + count + "@p0 st.shared.u32 [dyn], r0;");
        block.fault(
                RACE,
                zero.replace("bar.sync 0;", "") + "@!p0 bra END;" + count + "END: setp.eq.u32 p2, tid, 1; @p2 "
                        + count);
    }
}
