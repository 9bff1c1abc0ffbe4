package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.DEADLOCK;
import static org.quern.ptx.emulator.EmulatorFault.Kind.DIVERGED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.ptx.emulator.Options.Device;
import org.quern.ptx.emulator.Options.Schedule;

/// `setmaxnreg` in blocks of three warpgroups, whose threads begin with 168 registers each.
class RegisterPoolTest {
    /// The first warpgroup keeps `%d` registers, the others get `%d`.
    private static final String HAND_OVER = """
            setp.lt.u32 p0, tid, 128; @p0 bra GIVE; setmaxnreg.inc.sync.aligned.u32 %2$d; bra END;
            GIVE: setmaxnreg.dec.sync.aligned.u32 %1$d; END:
            """;

    private static Bench bench(Schedule schedule) {
        return new Bench(Options.DEFAULT
                        .withDevice(Device.SM_90)
                        .withSchedule(schedule)
                        .withSeed(3))
                .block(384)
                .directives(".maxntid 384, 1, 1 .minnctapersm 1");
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void warpsWaitForWhatOthersGiveBack(Schedule schedule) {
        bench(schedule).run(HAND_OVER.formatted(24, 240));
        bench(schedule).run(HAND_OVER.formatted(40, 232));
        assertThat(bench(schedule).fault(DEADLOCK, HAND_OVER.formatted(40, 240)))
                .hasMessageContaining("72 registers a thread more than its 168, of which other warps have given back");
        bench(schedule).fault(DEADLOCK, HAND_OVER.formatted(24, 240).replace("@p0 bra GIVE", "@p0 bra END"));
    }

    @ParameterizedTest
    @ValueSource(strings = {".maxnreg 128", ".reqntid 384 .minnctapersm 1"})
    void directivesSayHowManyThereAre(String directives) {
        bench(Schedule.ROUND_ROBIN).directives(directives).fault(DEADLOCK, HAND_OVER.formatted(24, 256));
        // Without them the assembler ignores the instruction.
        bench(Schedule.ROUND_ROBIN).directives(".maxntid 384").run(HAND_OVER.formatted(24, 256));
    }

    @Test
    void warpgroupsAgree() {
        Bench bench = bench(Schedule.ROUND_ROBIN);
        assertThat(bench.fault(
                        DIVERGED, "setp.ge.u32 p0, tid, 32; @p0 bra END; setmaxnreg.dec.sync.aligned.u32 24; END:"))
                .hasMessageContaining("the warp ends without line");
        assertThat(bench.fault(DIVERGED, """
                setp.ge.u32 p0, tid, 32; @p0 bra OTHERS; setmaxnreg.dec.sync.aligned.u32 24; bra END;
                OTHERS: setmaxnreg.dec.sync.aligned.u32 32; END:
                """))
                .hasMessageContaining("all warps of a warpgroup must execute the same setmaxnreg");
        // The same from several places is the same.
        bench.run("""
                setp.ge.u32 p0, tid, 32; @p0 bra OTHERS; setmaxnreg.dec.sync.aligned.u32 24; bra END;
                OTHERS: setmaxnreg.dec.sync.aligned.u32 24; END:
                """);
    }

    @Test
    void nobodyGivesBackMoreThanItHas() {
        assertThat(bench(Schedule.ROUND_ROBIN).fault(TRAP, "setmaxnreg.dec.sync.aligned.u32 200;"))
                .hasMessageContaining("gives back registers to keep 200, but the warp has 168");
    }
}
