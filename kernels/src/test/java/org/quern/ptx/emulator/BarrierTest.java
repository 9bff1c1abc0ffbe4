package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.BARRIER;
import static org.quern.ptx.emulator.EmulatorFault.Kind.DEADLOCK;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.ptx.emulator.Options.Schedule;

class BarrierTest {
    private static Bench bench(int threads) {
        return new Bench().block(threads);
    }

    @Test
    void allFormsWait() {
        bench(128).run("""
                        bar.sync 0; bar.sync 3, 128; barrier.sync 1; barrier.sync.aligned 2, 128; barrier.cta.sync 4;
                        mov.u32 r0, 15; bar.sync r0;
                        """);
    }

    @Test
    void barriersMayBeReachedByDifferentWays() {
        bench(64).run("setp.lt.u32 p0, tid, 32; @p0 bra A; bar.sync 0; bra END; A: bar.sync 0, 64; END:");
    }

    @Test
    void unalignedBarriersCountThreads() {
        bench(64).run("setp.lt.u32 p0, tid, 7; @p0 bra A; barrier.sync 0; bra END; A: barrier.sync 0; END:");
    }

    @Test
    void reductionsReachEveryone() {
        Bench bench = bench(96);
        long out = bench.output(96 * 4);
        bench.run("""
                and.b32 r0, tid, 3; setp.eq.u32 p0, r0, 0; bar.red.popc.u32 r1, 0, p0;
                bar.red.and.pred p1, 0, p0; bar.red.or.pred p2, 0, 96, p0; bar.red.and.pred p3, 0, !p4;
                @p1 trap; @!p2 trap; @!p3 trap;
                mad.wide.u32 rd0, tid, 4, a0; st.global.u32 [rd0], r1;
                """.replace("bar.red.popc", "setp.ne.u32 p4, tid, tid; bar.red.popc"), out);
        assertThat(bench.readInts(out, 96)).containsOnly(24);
    }

    @Test
    void countsMustAgree() {
        assertThat(bench(96)
                        .fault(
                                BARRIER,
                                "setp.lt.u32 p0, tid, 32; @p0 bra A; bar.sync 1, 96; bra END; A: bar.sync 1, 64; END:"))
                .hasMessageContaining("while others wait in it for");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 33, 96, -32})
    void countsMustBeWholeWarpsOfTheBlock(int threads) {
        assertThat(bench(64).fault(BARRIER, "mov.u32 r0, %d; bar.sync 1, r0;".formatted(threads)))
                .hasMessageContaining("it must be a multiple of 32 and at most the 64 of the block");
    }

    @Test
    void barriersHaveSixteenNames() {
        assertThat(bench(32).fault(BARRIER, "bar.sync 16;")).hasMessageContaining("there is no barrier 16");
        bench(32).fault(BARRIER, "bar.sync tid, 32;");
    }

    @Test
    void aWarpCountsAsOftenAsItArrives() {
        // Only the first warp comes to barrier 1.
        String first = "setp.ge.u32 p0, tid, 32; @p0 bra END; ";
        bench(64).run(first + "bar.arrive 1, 64; bar.sync 1, 64; END:");
        bench(64).fault(DEADLOCK, first + "bar.sync 1, 64; END:");
        // Parts of a warp come once each.
        assertThat(bench(64)
                        .fault(
                                BARRIER,
                                first + "setp.lt.u32 p0, tid, 7; @!p0 bra END; barrier.arrive 1, 64;"
                                        + "barrier.arrive 1, 64; END:"))
                .hasMessageContaining("lanes 0-6 arrive a second time at barrier 1");
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void deadlocksSayWhereEveryoneWaits(Schedule schedule) {
        assertThat(new Bench(Options.DEFAULT.withSchedule(schedule))
                        .block(96)
                        .fault(
                                DEADLOCK,
                                "setp.lt.u32 p0, tid, 32; @p0 exit; setp.lt.u32 p0, tid, 64;\n@p0 bra A;\n"
                                        + "bar.sync 1, 64; bra END;\nA: bar.sync 0;\nEND:"))
                .hasMessageContaining("warp 0: all lanes exited; warp 1: all lanes in the barrier of line")
                .hasMessageContaining("warp 2: all lanes in the barrier of line");
    }

    @Test
    void aWarpThatExitsIsMissed() {
        assertThat(bench(64).fault(DEADLOCK, "setp.lt.u32 p0, tid, 32; @p0 ret; bar.sync 0;"))
                .hasMessageContaining("warp 0: all lanes exited");
    }

    @Test
    void barriersServeBlockAfterBlock() {
        Bench bench = bench(64).grid(3);
        bench.run("setp.lt.u32 p0, tid, 32; @p0 bra A; bar.sync 1, 64; bra END; A: bar.arrive 1, 64; END: bar.sync 0;");
    }
}
