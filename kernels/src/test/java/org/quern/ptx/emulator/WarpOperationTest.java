package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.MEMBER_MASK;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_REGISTER;

import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WarpOperationTest {
    private static final String STORE = "mad.wide.u32 rd0, tid, 4, a0; st.global.u32 [rd0], r0;\n";

    private final Bench bench = new Bench();
    private final long out = bench.output(128);

    private int[] run(String text) {
        bench.run(text + STORE, out);
        return bench.readInts(out, 32);
    }

    private static int[] lanes(IntUnaryOperator value) {
        return IntStream.range(0, 32).map(value).toArray();
    }

    /// The results of CUDA's `__shfl_*_sync` with these widths.
    @ParameterizedTest
    @CsvSource({
        "idx,5,32",
        "idx,3,8",
        "up,1,32",
        "up,3,16",
        "down,1,32",
        "down,5,8",
        "bfly,1,32",
        "bfly,16,32",
        "bfly,2,4"
    })
    void shufflesWithinSegments(String mode, int distance, int width) {
        int clamp = 32 - width << 8 | (mode.equals("up") ? 0 : 31);
        int[] results = run("shfl.sync.%s.b32 r0|p0, tid, %d, %d, -1; @!p0 add.u32 r0, r0, 100;\n"
                .formatted(mode, distance, clamp));
        assertThat(results).isEqualTo(lanes(lane -> {
            int base = lane / width * width;
            int source = switch (mode) {
                case "idx" -> base + distance % width;
                case "up" -> lane - distance;
                case "down" -> lane + distance;
                default -> lane ^ distance;
            };
            return source >= base && source < base + width ? source : lane + 100;
        }));
    }

    @Test
    void shufflesReadWhatExecutesWithThem() {
        assertThat(bench.fault(
                        MEMBER_MASK,
                        "setp.ge.u32 p0, tid, 16; @p0 bra END; shfl.sync.idx.b32 r0, tid, 20, 31, 0xffff; END:"))
                .hasMessageContaining("takes a value from lane 20");
        assertThat(bench.fault(
                        UNDEFINED_REGISTER,
                        "setp.ne.u32 p0, tid, 9; @p0 mov.u32 r1, 1; shfl.sync.idx.b32 r0, r1, 9, 31, -1;"))
                .hasMessageContaining("r1 is read in lane 9");
    }

    @Test
    void votes() {
        assertThat(run("and.b32 r1, tid, 1; setp.eq.u32 p0, r1, 1; vote.sync.ballot.b32 r0, p0, -1;"))
                .containsOnly(0xaaaaaaaa);
        assertThat(run("""
                and.b32 r1, tid, 1; setp.eq.u32 p0, r1, 1; mov.u32 r0, 0;
                vote.sync.any.pred p1, p0, -1; @p1 add.u32 r0, r0, 1;
                vote.sync.all.pred p1, p0, -1; @p1 add.u32 r0, r0, 2;
                vote.sync.uni.pred p1, !p0, -1; @p1 add.u32 r0, r0, 4;
                setp.lt.u32 p0, tid, 32; vote.sync.all.pred p1, p0, -1; @p1 add.u32 r0, r0, 8;
                vote.sync.uni.pred p1, p0, -1; @p1 add.u32 r0, r0, 16;
                """)).containsOnly(25);
    }

    @Test
    void matches() {
        assertThat(run("shr.u32 r1, tid, 3; match.any.sync.b32 r0, r1, -1;")).isEqualTo(lanes(i -> 0xff << i / 8 * 8));
        assertThat(run("mov.u64 rd1, 5; match.all.sync.b64 r0|p0, rd1, -1; @!p0 trap;"))
                .containsOnly(-1);
        assertThat(run("match.all.sync.b32 r0|p0, tid, -1; @p0 trap;")).containsOnly(0);
    }

    @Test
    void reduces() {
        assertThat(run("redux.sync.add.u32 r0, tid, -1;")).containsOnly(496);
        assertThat(run("sub.s32 r1, tid, 16; redux.sync.min.s32 r0, r1, -1;")).containsOnly(-16);
        assertThat(run("sub.s32 r1, tid, 16; redux.sync.max.u32 r0, r1, -1;")).containsOnly(-1);
        assertThat(run("or.b32 r1, tid, 64; redux.sync.and.b32 r0, r1, -1;")).containsOnly(64);
        assertThat(run("redux.sync.or.b32 r0, tid, -1;")).containsOnly(31);
        assertThat(run("redux.sync.xor.b32 r0, tid, -1;")).containsOnly(0);
    }

    @Test
    void groupsOfLanesWorkApart() {
        assertThat(run("and.b32 r1, tid, 16; mov.u32 r2, 0xffff; shl.b32 r2, r2, r1; redux.sync.add.u32 r0, tid, r2;"))
                .isEqualTo(lanes(i -> i < 16 ? 120 : 376));
    }

    @Test
    void specialRegistersSayWhoAThreadIs() {
        assertThat(run("mov.u32 r1, %lanemask_lt; mov.u32 r2, %lanemask_ge; and.b32 r3, r1, r2; not.b32 r2, r2;"
                        + "setp.ne.u32 p0, r1, r2; @p0 trap; setp.ne.u32 p0, r3, 0; @p0 trap; popc.b32 r0, r1;"))
                .isEqualTo(lanes(i -> i));
        Bench wide = new Bench().block(new org.quern.gpu.Launch.Dim(4, 3, 8)).grid(3);
        long memory = wide.ints(new int[3 * 96]);
        wide.run("""
                mov.u32 r0, %tid.x; mov.u32 r1, %tid.y; mov.u32 r2, %tid.z; mov.u32 r3, %ntid.x; mov.u32 r4, %ntid.y;
                mad.lo.u32 r5, r2, r4, r1; mad.lo.u32 r5, r5, r3, r0;
                mov.u32 r6, %warpid; mov.u32 r7, %laneid; mad.lo.u32 r8, r6, 32, r7; setp.ne.u32 p0, r5, r8; @p0 trap;
                mov.u32 r9, %ctaid.x; mad.lo.u32 r10, r9, 96, r5; mad.wide.u32 rd0, r10, 4, a0; st.global.u32 [rd0], r10;
                mov.u32 r11, %nctaid.x; setp.ne.u32 p0, r11, 3; @p0 trap; mov.u32 r11, %ntid.z; setp.ne.u32 p0, r11, 8;
                @p0 trap; mov.u32 r11, %dynamic_smem_size; setp.ne.u32 p0, r11, 4096; @p0 trap;
                mov.u32 r11, %total_smem_size; setp.ne.u32 p0, r11, 4096; @p0 trap;
                """, memory);
        assertThat(wide.readInts(memory, 288)).isEqualTo(IntStream.range(0, 288).toArray());
    }

    @Test
    void clocksGoOn() {
        run("mov.u32 r0, %clock; mov.u64 rd1, %clock64; mov.u64 rd2, %globaltimer; bar.sync 0; mov.u64 rd3, %clock64;"
                + "setp.lt.u64 p0, rd3, rd1; @p0 trap;");
    }
}
