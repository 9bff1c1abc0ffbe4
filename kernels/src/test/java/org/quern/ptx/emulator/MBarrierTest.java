package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.quern.ptx.emulator.EmulatorFault.Kind.BARRIER;
import static org.quern.ptx.emulator.EmulatorFault.Kind.DEADLOCK;
import static org.quern.ptx.emulator.EmulatorFault.Kind.MISALIGNED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.ptx.emulator.Options.Device;
import org.quern.ptx.emulator.Options.Schedule;

class MBarrierTest {
    /// r0 = an mbarrier for so many arrivals, which all threads know; r1 = 4 bytes for each thread behind it.
    private static String begin(int arrivals) {
        return """
                mov.u32 r0, dyn; mad.lo.u32 r1, tid, 4, r0; add.u32 r1, r1, 64;
                setp.eq.u32 p0, tid, 0; @p0 mbarrier.init.shared::cta.b64 [r0], %d; bar.sync 0;
                """.formatted(arrivals);
    }

    private static String await(String name, String register, int parity) {
        return "%s: mbarrier.try_wait.parity.shared::cta.b64 p7, [%s], %d; @!p7 bra %s;\n"
                .formatted(name, register, parity, name);
    }

    private static Bench bench(int threads, Schedule schedule) {
        return new Bench(Options.DEFAULT
                        .withDevice(Device.SM_90)
                        .withSchedule(schedule)
                        .withSeed(5))
                .block(threads);
    }

    private static Bench bench(int threads) {
        return bench(threads, Schedule.ROUND_ROBIN);
    }

    /// What a schedule meets first when a wait is missing.
    private static void broken(Bench bench, String body, long... arguments) {
        EmulatorFault fault = catchThrowableOfType(EmulatorFault.class, () -> bench.run(body, arguments));
        assertThat(fault.kind()).as(fault.getMessage()).isIn(RACE, UNDEFINED_MEMORY, DEADLOCK);
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void whatWasWrittenBeforeAnArrivalIsSeenAfterTheWait(Schedule schedule) {
        Bench bench = bench(96, schedule);
        long out = bench.output(96 * 4);
        String exchange = "st.shared.u32 [r1], tid; mbarrier.arrive.shared::cta.b64 _, [r0];\n"
                + await("W", "r0", 0)
                + "mov.u32 r2, 95; sub.u32 r2, r2, tid; mad.lo.u32 r3, r2, 4, r0; ld.shared.u32 r4, [r3+64];"
                + "mad.wide.u32 rd0, tid, 4, a0; st.global.u32 [rd0], r4;";
        bench.run(begin(96) + exchange, out);
        assertThat(bench.readInts(out, 96)).startsWith(95, 94).endsWith(1, 0);
        bench.fault(RACE, begin(96) + exchange.replace(".arrive.", ".arrive.relaxed.cta."), out);
        bench.fault(RACE, begin(96) + exchange.replace("try_wait.parity", "try_wait.relaxed.cta.parity"), out);
        broken(bench, begin(96) + exchange.replace("@!p7 bra W;", ""), out);
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void phasesFollowEachOther(Schedule schedule) {
        // Warp 0 writes, warp 1 reads and gives the place free again, ten times through two mbarriers.
        String ring = """
                @p0 mbarrier.init.shared::cta.b64 [r0+8], 32; bar.sync 0;
                mov.u32 r5, 0; mov.u32 r6, 0; and.b32 r9, tid, 31; mad.lo.u32 r7, r9, 4, r0; shr.u32 r8, tid, 5;
                mov.u32 r12, 0; setp.ne.u32 p1, r8, 0; @p1 bra READER;
                WRITER: xor.b32 r10, r6, 1;
                %sst.shared.u32 [r7+64], r5; mbarrier.arrive.shared::cta.b64 _, [r0];
                xor.b32 r6, r6, 1; add.u32 r5, r5, 1; setp.lt.u32 p2, r5, 10; @p2 bra WRITER; bra END;
                READER:
                %sld.shared.u32 r11, [r7+64]; add.u32 r12, r12, r11; mbarrier.arrive.shared::cta.b64 _, [r0+8];
                xor.b32 r6, r6, 1; add.u32 r5, r5, 1; setp.lt.u32 p2, r5, 10; @p2 bra READER;
                mad.wide.u32 rd0, r9, 4, a0; st.global.u32 [rd0], r12;
                END:
                """;
        String waits = "WE: mbarrier.try_wait.parity.shared::cta.b64 p7, [r0+8], r10; @!p7 bra WE;\n";
        String full = "WF: mbarrier.try_wait.parity.shared::cta.b64 p7, [r0], r6; @!p7 bra WF;\n";
        Bench bench = bench(64, schedule);
        long out = bench.output(32 * 4);
        bench.run(begin(32) + ring.formatted(waits, full), out);
        assertThat(bench.readInts(out, 32)).containsOnly(45);
        broken(bench, begin(32) + ring.formatted("", full), out);
        broken(bench, begin(32) + ring.formatted(waits, ""), out);
        broken(bench, begin(32) + ring.formatted(waits.replace("r10", "r6"), full), out);
    }

    @Test
    void statesNamePhases() {
        Bench bench = bench(32);
        long out = bench.output(4);
        bench.run(begin(32) + """
                mbarrier.arrive.shared::cta.b64 rd0, [r0]; mbarrier.test_wait.shared::cta.b64 p1, [r0], rd0; @!p1 trap;
                mbarrier.arrive.shared::cta.b64 rd1, [r0], 1; mbarrier.test_wait.shared::cta.b64 p1, [r0], rd1;
                @!p1 trap; setp.eq.u64 p2, rd0, rd1; @p2 trap;
                @p0 st.global.u32 [a0], tid;
                """, out);
        assertThat(bench.readInts(out, 1)).containsExactly(0);
    }

    @Test
    void announcedBytesKeepAPhaseOpen() {
        String announce = "@p0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [r0], 512;"
                + "mbarrier.test_wait.parity.shared::cta.b64 p1, [r0], 0; @p1 trap;"
                + "@p0 mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [r0], 512;";
        bench(32).run(begin(1) + announce + await("W", "r0", 0));
        bench(32).fault(DEADLOCK, begin(1) + announce.replace("b64 [r0], 512", "b64 [r0], 511") + await("W", "r0", 0));
        assertThat(bench(32)
                        .fault(
                                BARRIER,
                                begin(1) + announce.replace("b64 [r0], 512", "b64 [r0], 513") + await("W", "r0", 0)))
                .hasMessageContaining("513 bytes were copied, more than were announced");
        // Bytes may arrive before they are announced.
        bench(32)
                .run(begin(2) + "@p0 mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [r0], 16;"
                        + "@p0 mbarrier.arrive.shared::cta.b64 _, [r0];"
                        + "@p0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [r0], 16;"
                        + await("W", "r0", 0));
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void waitsThatNobodyEndsAreDeadlocks(Schedule schedule) {
        assertThat(bench(64, schedule)
                        .fault(
                                DEADLOCK,
                                begin(64) + "setp.ne.u32 p1, tid, 63; @p1 mbarrier.arrive.shared::cta.b64 _, [r0];\n"
                                        + await("W", "r0", 0)))
                .hasMessageContaining("warp 0: ")
                .hasMessageContaining("(phase 0, 1 of 64 arrivals and 0 bytes missing)");
        // The parity of the phase before lets everybody pass at once.
        bench(64, schedule).run(begin(64) + await("W", "r0", 1));
    }

    @Test
    void lanesThatWaitLetOthersOfTheirWarpRun() {
        // Lanes 0 to 15 wait for what the others do behind them.
        bench(32)
                .run(begin(16) + "setp.lt.u32 p1, tid, 16; @!p1 bra OTHERS;\n" + await("W", "r0", 0)
                        + "bra END;\nOTHERS: mbarrier.arrive.shared::cta.b64 _, [r0];\nEND:");
    }

    @Test
    void everyArrivalCounts() {
        assertThat(bench(64).fault(BARRIER, begin(2) + "@p0 mbarrier.arrive.shared::cta.b64 _, [r0], 3;"))
                .hasMessageContaining("3 arrivals at the mbarrier at 0x400");
        bench(32)
                .run(begin(33) + "mbarrier.arrive.shared::cta.b64 _, [r0];"
                        + "@p0 mbarrier.arrive_drop.shared::cta.b64 _, [r0]; bar.warp.sync -1;\n"
                        + await("W", "r0", 0)
                        + "mbarrier.arrive.shared::cta.b64 _, [r0];\n"
                        + await("V", "r0", 1));
    }

    @Test
    void onlyItsInstructionsTouchAnMBarrier() {
        for (String touch : Arrays.asList(
                "ld.shared.u32 r2, [r0];",
                "st.shared.u32 [r0+4], r1;",
                "atom.shared.add.u32 r2, [r0], 1;",
                "ld.shared.u8 r2, [r0+7];",
                "@p0 mbarrier.init.shared::cta.b64 [r0], 1;")) {
            assertThat(bench(32).fault(BARRIER, begin(1) + touch))
                    .hasMessageContaining("which is an mbarrier since line");
        }
        bench(32)
                .run(begin(1) + "@p0 mbarrier.inval.shared::cta.b64 [r0]; bar.sync 0;"
                        + "@p0 st.shared.u32 [r0], r1; @p0 mbarrier.init.shared::cta.b64 [r0], 2;");
        bench(32).fault(BARRIER, "mov.u32 r0, dyn; mbarrier.arrive.shared::cta.b64 _, [r0];");
        bench(32).fault(BARRIER, begin(1) + "mbarrier.arrive.shared::cta.b64 _, [r0+8];");
        bench(32).fault(MISALIGNED, begin(1) + "mbarrier.arrive.shared::cta.b64 _, [r0+4];");
    }

    @Test
    void genericAddressesAreOfSharedMemory() {
        Bench bench = bench(32);
        long out = bench.output(4);
        String generic = """
                mov.u32 r0, dyn; cvt.u64.u32 rd0, r0; cvta.shared.u64 rd0, rd0; setp.eq.u32 p0, tid, 0;
                @p0 mbarrier.init.b64 [rd0], 32; bar.sync 0; mbarrier.arrive.b64 rd1, [rd0];
                W: mbarrier.try_wait.b64 p1, [rd0], rd1; @!p1 bra W; mbarrier.test_wait.parity.b64 p1, [rd0], 0;
                @!p1 trap; bar.sync 0; @p0 mbarrier.inval.b64 [rd0];
                """;
        bench.run(generic);
        assertThat(bench.fault(EmulatorFault.Kind.OUT_OF_BOUNDS, generic.replace("[rd0], 32", "[a0], 32"), out))
                .hasMessageContaining("must be of shared memory: it is of global memory");
    }

    @Test
    void initialisationIsOrderedBeforeUse() {
        assertThat(bench(64)
                        .fault(RACE, begin(64).replace("bar.sync 0;", "") + "mbarrier.arrive.shared::cta.b64 _, [r0];"))
                .hasMessageContaining("uses an mbarrier in shared memory at 0x400");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 1 << 20})
    void countsHaveLimits(int count) {
        bench(32).fault(BARRIER, begin(count));
    }

    @Test
    void blocksBeginWithout() {
        bench(32).grid(3).run(begin(32) + "mbarrier.arrive.shared::cta.b64 _, [r0];" + await("W", "r0", 0));
    }

    @ParameterizedTest
    @ValueSource(longs = {4, 5})
    void oneLaneIsElected(long seed) {
        Bench bench = new Bench(Options.DEFAULT.withDevice(Device.SM_90).withSeed(seed));
        long out = bench.output(8);
        bench.run("elect.sync r0|p0, -1; @!p0 bra END; st.global.u32 [a0], tid; st.global.u32 [a0+4], r0; END:", out);
        assertThat(bench.readInts(out, 2)).containsOnly(seed % 2 == 0 ? 0 : 31);
        bench.fault(EmulatorFault.Kind.MEMBER_MASK, "elect.sync _|p0, 1;");
    }

    @Test
    void registersAreGivenInEights() {
        bench(128).run("setmaxnreg.dec.sync.aligned.u32 24; setmaxnreg.inc.sync.aligned.u32 240;");
        bench(32).fault(UNSUPPORTED, "setmaxnreg.dec.sync.aligned.u32 20;");
        bench(32).fault(UNSUPPORTED, "setmaxnreg.inc.sync.aligned.u32 100;");
        bench(32).fault(EmulatorFault.Kind.DIVERGED, "setp.eq.u32 p0, tid, 0; @p0 setmaxnreg.dec.sync.aligned.u32 24;");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".trans"})
    void matricesAreStoredAsTheyAreLoaded(String transposed) {
        // Stored by rows of 16 bytes in any place, loaded again from there: what each lane held.
        Bench bench = bench(32);
        long out = bench.output(4 * 32 * 4);
        bench.run("""
                mad.lo.u32 r1, tid, 0x10003, 7; add.u32 r2, r1, 0x1000; add.u32 r3, r1, 0x2000; add.u32 r4, r1, 0x3000;
                mov.u32 r0, dyn; mad.lo.u32 r5, tid, 48, r0;
                stmatrix.sync.aligned.m8n8.x4%1$s.shared.b16 [r5], {r1, r2, r3, r4};
                bar.warp.sync -1; ldmatrix.sync.aligned.m8n8.x4%1$s.shared.b16 {r6, r7, r8, r9}, [r5];
                setp.ne.u32 p0, r1, r6; @p0 trap; setp.ne.u32 p0, r2, r7; @p0 trap;
                setp.ne.u32 p0, r3, r8; @p0 trap; setp.ne.u32 p0, r4, r9; @p0 trap;
                ld.shared.u32 r10, [r5]; mad.wide.u32 rd0, tid, 4, a0; st.global.u32 [rd0], r10;
                """.formatted(transposed), out);
        // A row begins with elements 0 and 1 of lane 0, or with element 0 of lanes 0 and 4.
        int second = transposed.isEmpty() ? 0 : 7 + 4 * 0x10003 & 0xffff;
        assertThat(bench.readInts(out, 1)).containsExactly(7 | second << 16);
        bench.fault(RACE, """
                mov.u32 r0, dyn; mad.lo.u32 r5, tid, 48, r0; mov.u32 r1, 1;
                stmatrix.sync.aligned.m8n8.x1.shared.b16 [r5], {r1};
                ldmatrix.sync.aligned.m8n8.x1.shared.b16 {r6}, [r5];
                """);
    }
}
