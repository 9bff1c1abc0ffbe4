package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.ptx.emulator.Statistics.Accesses;

class CountersTest {
    private final Bench bench = new Bench().shared(32_768);

    private static Accesses only(Statistics statistics, String start) {
        return statistics.accesses().stream()
                .filter(a -> a.text().startsWith(start))
                .reduce((a, b) -> {
                    throw new AssertionError("several: " + a + b);
                })
                .orElseThrow();
    }

    /// A store of one word a lane, `stride` words apart: the greatest common divisor with 32 meets in a bank.
    @ParameterizedTest
    @CsvSource({"1,1", "2,2", "3,1", "4,4", "5,1", "8,8", "16,16", "32,32", "33,1"})
    void countsBankConflictsOfStrides(int stride, int wavefronts) {
        Accesses store = only(
                bench.run(
                        "mov.u32 r0, dyn; mad.lo.u32 r1, tid, %d, r0; st.shared.u32 [r1], tid;".formatted(4 * stride)),
                "st.shared");
        assertThat(store.wavefronts()).isEqualTo(wavefronts);
        assertThat(store.idealWavefronts()).isOne();
        assertThat(store.bankConflicts()).isEqualTo(wavefronts - 1);
    }

    @Test
    void oneWordForManyLanesIsNoConflict() {
        Statistics statistics =
                bench.run("setp.eq.u32 p0, tid, 0; @p0 st.shared.v2.u32 [dyn], {tid, tid}; bar.warp.sync -1;"
                        + "and.b32 r0, tid, 1; mov.u32 r1, dyn; mad.lo.u32 r0, r0, 4, r1; ld.shared.u32 r2, [r0];");
        assertThat(only(statistics, "ld.shared").wavefronts()).isOne();
        assertThat(statistics.bankConflicts()).isZero();
    }

    @Test
    void wideAccessesGoInGroups() {
        Statistics statistics = bench.run("""
                mov.u32 r0, dyn; mad.lo.u32 r1, tid, 8, r0; st.shared.v2.u32 [r1], {tid, tid};
                bar.warp.sync -1; mad.lo.u32 r1, tid, 16, r0; st.shared.v4.u32 [r1], {tid, tid, tid, tid};
                bar.warp.sync -1; mad.lo.u32 r1, tid, 32, r0; st.shared.v4.u32 [r1+16], {tid, tid, tid, tid};
                """);
        assertThat(statistics.accesses().stream().map(a -> a.wavefronts() + "/" + a.idealWavefronts()))
                .containsExactly("2/2", "4/4", "8/4");
    }

    /// Rows of 128 bytes: as they are, all rows begin in the same bank; swizzled, none do.
    @ParameterizedTest
    @CsvSource({"false,32", "true,4"})
    void countsMatrixLoadsByRows(boolean swizzled, int wavefronts) {
        String swizzle = swizzled ? "and.b32 r2, tid, 7; xor.b32 r3, r3, r2;" : "";
        Statistics statistics = bench.run("""
                mov.u32 r0, dyn; mad.lo.u32 r1, tid, 128, r0; mov.u32 r3, 0; %s mad.lo.u32 r1, r3, 16, r1;
                st.shared.v4.u32 [r1], {tid, tid, tid, tid}; bar.warp.sync -1;
                ldmatrix.sync.aligned.m8n8.x4.shared.b16 {r4,r5,r6,r7}, [r1];
                """.formatted(swizzle));
        assertThat(only(statistics, "ldmatrix").wavefronts()).isEqualTo(wavefronts);
        assertThat(only(statistics, "ldmatrix").idealWavefronts()).isEqualTo(4);
        assertThat(only(statistics, "st.shared").wavefronts()).isEqualTo(wavefronts);
    }

    @ParameterizedTest
    @CsvSource({
        "4,0,u32,4",
        "4,4,u32,5",
        "8,0,u32,8",
        "32,0,u32,32",
        "64,0,u32,32",
        "0,0,u32,1",
        "2,0,u16,2",
        "16,0,v4,16"
    })
    void countsSectorsOfGlobalMemory(int stride, int offset, String type, int sectors) {
        long memory = bench.ints(new int[1024]);
        String load = type.equals("v4") ? "v4.u32 {r0,r1,r2,r3}" : type.equals("u16") ? "u16 h0" : "u32 r0";
        Statistics statistics = bench.run(
                "mad.wide.u32 rd0, tid, %d, a0; ld.global.%s, [rd0+%d];".formatted(stride, load, offset), memory);
        Accesses accesses = statistics.accesses().getFirst();
        assertThat(accesses.requests()).isOne();
        assertThat(accesses.sectors()).isEqualTo(sectors);
        assertThat(accesses.bytes()).isEqualTo(32L * (type.equals("v4") ? 16 : type.equals("u16") ? 2 : 4));
    }

    @Test
    void scatteredLanesShareSectors() {
        long memory = bench.ints(new int[64]);
        Statistics statistics = bench.run(
                "mul.lo.u32 r0, tid, 13; and.b32 r0, r0, 31; mad.wide.u32 rd0, r0, 4, a0;" + "ld.global.u32 r1, [rd0];",
                memory);
        assertThat(statistics.sectors()).isEqualTo(4);
        assertThat(statistics.accesses().getFirst().wastedSectors()).isZero();
    }

    @Test
    void copiesCountOnBothSides() {
        long memory = bench.ints(new int[128]);
        Statistics statistics = bench.run(
                "mov.u32 r0, dyn; mad.lo.u32 r1, tid, 16, r0; mad.wide.u32 rd0, tid, 16, a0;"
                        + "cp.async.cg.shared.global [r1], [rd0], 16; cp.async.wait_all;",
                memory);
        Accesses copy = only(statistics, "cp.async");
        assertThat(copy.sectors()).isEqualTo(16);
        assertThat(copy.wavefronts()).isEqualTo(4);
    }

    @Test
    void countsWork() {
        Statistics statistics = bench.block(64).grid(3).run("""
                        mov.f32 f0, 0f3F800000; mov.u32 r0, 0; setp.lt.u32 p0, tid, 8;
                        fma.rn.f32 f1, f0, f0, f0; @p0 add.f32 f1, f0, f0; ex2.approx.ftz.f32 f2, f0;
                        mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {f0,f1,f2,f3}, {r0,r0,r0,r0}, {r0,r0},
                            {f0,f0,f0,f0};
                        bar.sync 0; bar.warp.sync -1;
                        """);
        assertThat(statistics.instructions())
                .containsEntry("fma", 6L)
                .containsEntry("mma", 6L)
                .containsEntry("bar", 12L)
                .containsEntry("add", 6L);
        assertThat(statistics.flops()).isEqualTo(3 * (64 * 3 + 8) + 6 * 2 * 16 * 8 * 16);
        assertThat(statistics.specialFunctions()).isEqualTo(3 * 64);
        assertThat(statistics.barriers()).isEqualTo(6);
        assertThat(statistics.kernel()).isEqualTo("snippet");
    }

    @Test
    void namesLines() {
        long memory = bench.ints(IntStream.range(0, 32).toArray());
        Statistics statistics = bench.run(
                "\n\nmad.wide.u32 rd0, tid, 4, a0;\nld.global.u32 r0, [rd0]; st.global.u32 [rd0], r0;", memory);
        int line = statistics.accesses().getFirst().line();
        assertThat(statistics.line(line)).hasSize(2);
        assertThat(statistics.line(line - 1)).isEmpty();
        assertThat(statistics.requests()).isEqualTo(2);
        assertThat(statistics.bytes()).isEqualTo(256);
        assertThat(statistics.wavefronts()).isZero();
    }

    @Test
    void waitingIsNotCountedTwice() {
        Statistics statistics = bench.run("setp.lt.u32 p0, tid, 16; @p0 bra A; mov.u32 r0, 1; A: bar.warp.sync -1;");
        assertThat(statistics.instructions()).containsEntry("bar", 1L);
    }
}
