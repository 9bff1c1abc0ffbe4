package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.LAUNCH;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;

import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.ptx.emulator.Options.Copies;
import org.quern.ptx.emulator.Options.Schedule;

/// Launches that may overtake those before them.
class ProgrammaticLaunchTest {
    private static final Options HOPPER = Options.DEFAULT.withDevice(Options.Device.SM_90);
    /// rd0 = where thread tid's word is.
    private static final String PLACE = "mad.wide.u32 rd0, tid, 4, a0;\n";
    private static final String WRITE = PLACE + "st.global.u32 [rd0], tid;\n";
    private static final String READ = "ld.global.u32 r1, [rd0];\n";
    private static final String WAIT = "griddepcontrol.wait;\n";
    private static final String GO = "griddepcontrol.launch_dependents;\n";

    static Stream<Options> schedules() {
        return Arrays.stream(Copies.values())
                .flatMap(copies -> Arrays.stream(Schedule.values())
                        .map(schedule -> HOPPER.withCopies(copies).withSchedule(schedule)));
    }

    private static Bench written(Bench bench, long memory) {
        bench.block(64).run(GO + WRITE, memory);
        return bench.programmatic(true);
    }

    @ParameterizedTest
    @MethodSource("schedules")
    void waitsForWhatItReads(Options options) {
        Bench bench = new Bench(options);
        long memory = bench.output(256);
        written(bench, memory).run(WAIT + PLACE + READ + "add.u32 r1, r1, 1; st.global.u32 [rd0], r1;", memory);
        assertThat(bench.readInts(memory, 3)).containsExactly(1, 2, 3);
    }

    @ParameterizedTest
    @MethodSource("schedules")
    void rejectsReadsBeforeTheWait(Options options) {
        Bench bench = new Bench(options);
        long memory = bench.output(256);
        assertThat(written(bench, memory).fault(RACE, PLACE + READ + WAIT, memory))
                .hasMessageContaining("reads global memory at")
                .hasMessageContaining("snippet wrote at line")
                .hasMessageContaining("griddepcontrol.wait is missing before");
    }

    @Test
    void rejectsReadsOfBytesBeforeTheWait() {
        Bench bench = new Bench(HOPPER);
        long memory = bench.output(256);
        written(bench, memory).fault(RACE, "ld.global.u8 r1, [a0];" + WAIT, memory);
    }

    @Test
    void rejectsWritesBeforeTheWaitOverWhatWasRead() {
        Bench bench = new Bench(HOPPER);
        long memory = bench.ints(new int[32]);
        bench.run(PLACE + READ, memory);
        assertThat(bench.programmatic(true).fault(RACE, WRITE + WAIT, memory))
                .hasMessageContaining("writes global memory at")
                .hasMessageContaining("snippet read at line");
    }

    @Test
    void rejectsAtomicsBeforeTheWait() {
        Bench bench = new Bench(HOPPER);
        long memory = bench.ints(0);
        String add = "red.global.add.u32 [a0], 1;";
        bench.run(add, memory);
        bench.programmatic(true).fault(RACE, add + WAIT, memory);
    }

    @Test
    void mayTouchOtherMemoryBeforeTheWait() {
        Bench bench = new Bench(HOPPER);
        long memory = bench.output(256);
        long constants = bench.ints(new int[64]);
        written(bench, memory)
                .run(
                        "mad.wide.u32 rd0, tid, 4, a1;" + READ + WAIT + PLACE + "st.global.u32 [rd0], r1;",
                        memory,
                        constants);
    }

    @Test
    void oneThreadWaitsForAllBehindABarrier() {
        Bench bench = new Bench(HOPPER);
        long memory = bench.output(256);
        String first = "setp.eq.u32 p0, tid, 0; @p0 " + WAIT;
        written(bench, memory).run(first + "bar.sync 0;" + PLACE + READ, memory);
        written(bench.programmatic(false), memory).fault(RACE, first + PLACE + READ, memory);
    }

    @Test
    void oneThreadWaitsForOtherWarpsBehindAnMbarrier() {
        Bench bench = new Bench(HOPPER);
        long memory = bench.output(256);
        String body = "mov.u32 r0, dyn; setp.eq.u32 p0, tid, 32; @p0 mbarrier.init.shared::cta.b64 [r0], 1; bar.sync 0;"
                + "setp.ge.u32 p2, tid, 32; @!p2 bra later; @p0 %s @p0 mbarrier.arrive.shared::cta.b64 rd1, [r0]; bra end;"
                + "later: mbarrier.try_wait.parity.shared::cta.b64 p1, [r0], 0; @!p1 bra later;" + PLACE + READ
                + "end:";
        written(bench, memory).run(body.formatted(WAIT), memory);
        written(bench.programmatic(false), memory).fault(RACE, body.formatted("nanosleep.u32 1;") + WAIT, memory);
    }

    @Test
    void anOrdinaryLaunchWaitsForAll() {
        Bench bench = new Bench(HOPPER);
        long memory = bench.output(256);
        long other = bench.ints(0);
        written(bench, memory).programmatic(false).run(PLACE + READ, memory);
        written(bench, memory).programmatic(false).run("ld.global.u32 r1, [a0];", other);
        // Before this one there is only what read the other word.
        bench.programmatic(true).run(PLACE + READ + WAIT, memory);
    }

    @Test
    void aCopyWaitsForAll() {
        Bench bench = new Bench(HOPPER);
        long memory = bench.output(256);
        written(bench, memory);
        bench.readInts(memory, 1);
        bench.run(PLACE + READ + WAIT, memory);
    }

    @Test
    void launchesOvertakeAllThatMayStillRun() {
        Bench bench = new Bench(HOPPER);
        long memory = bench.output(256);
        long other = bench.ints(0);
        written(bench, memory).run(GO + "ld.global.u32 r1, [a0];" + WAIT, other);
        bench.fault(RACE, PLACE + READ + WAIT, memory);
    }

    @Test
    void rejectsBlocksThatNeverWait() {
        Bench bench = new Bench(HOPPER).programmatic(true).grid(2);
        assertThat(bench.fault(RACE, "mov.u32 r0, %ctaid.x; setp.eq.u32 p0, r0, 0; @p0 " + WAIT))
                .hasMessageContaining("block (1, 0, 0)")
                .hasMessageContaining("ends without griddepcontrol.wait");
    }

    @Test
    void waitsForNothingIfLaunchedOrdinarily() {
        new Bench(HOPPER).run(WAIT + GO);
    }

    @Test
    void needsTheArchitecture() {
        assertThat(new Bench().programmatic(true).fault(LAUNCH, "bar.sync 0;"))
                .hasMessageContaining("programmatic launches need an sm_90 or later: the device is an sm_80");
    }
}
