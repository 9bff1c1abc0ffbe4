package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.BUDGET;
import static org.quern.ptx.emulator.EmulatorFault.Kind.DIVERGED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.MEMBER_MASK;
import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DivergenceTest {
    private static final String STORE = "mad.wide.u32 rd0, tid, 4, a0; st.global.u32 [rd0], r0;\n";

    private final Bench bench = new Bench();
    private final long out = bench.output(128);

    private int[] lanes(java.util.function.IntUnaryOperator value) {
        return IntStream.range(0, 32).map(value).toArray();
    }

    @Test
    void lanesTakeTheirOwnWay() {
        bench.run("""
                setp.lt.u32 p0, tid, 10; @p0 bra LOW;
                setp.lt.u32 p1, tid, 20; @p1 bra MIDDLE;
                mov.u32 r0, 3; bra END;
                MIDDLE: mov.u32 r0, 2; bra END;
                LOW: mov.u32 r0, 1;
                END:
                """ + STORE, out);
        assertThat(bench.readInts(out, 32)).isEqualTo(lanes(i -> i < 10 ? 1 : i < 20 ? 2 : 3));
    }

    @Test
    void lanesMeetAgainBehindABranch() {
        // The shuffle needs the whole warp, also where the way round lies behind the place where lanes meet.
        bench.run("""
                mov.u32 r0, tid; and.b32 r1, tid, 3; setp.eq.u32 p0, r1, 0; @p0 bra COLD;
                BACK: shfl.sync.bfly.b32 r0, r0, 1, 31, -1; bar.warp.sync -1;
                """ + STORE + "ret; COLD: add.u32 r0, r0, 100; bra BACK;", out);
        assertThat(bench.readInts(out, 32)).isEqualTo(lanes(i -> (i ^ 1) + ((i & 3) == 1 ? 100 : 0)));
    }

    @Test
    void loopsMayEndAtDifferentTimes() {
        bench.run("""
                mov.u32 r0, 0; mov.u32 r1, 0;
                LOOP: add.u32 r0, r0, r1; add.u32 r1, r1, 1; setp.le.u32 p0, r1, tid; @p0 bra LOOP;
                vote.sync.ballot.b32 r2, p0, -1; setp.ne.u32 p1, r2, 0; @p1 trap;
                """ + STORE, out);
        assertThat(bench.readInts(out, 32)).isEqualTo(lanes(i -> i * (i + 1) / 2));
    }

    @Test
    void lanesThatSpinGiveWay() {
        // Each lane waits for the one before it, by a flag: locks among lanes of a warp.
        bench.emulator.fill(out, 128, (byte) 0);
        bench.run("""
                mad.wide.u32 rd0, tid, 4, a0; setp.eq.u32 p0, tid, 31; @p0 bra SET;
                WAIT: ld.volatile.global.u32 r0, [rd0+4]; setp.eq.u32 p1, r0, 0; @p1 bra WAIT;
                SET: mov.u32 r0, 1; st.volatile.global.u32 [rd0], r0;
                """, out);
        assertThat(bench.readInts(out, 32)).containsOnly(1);
    }

    @Test
    void promisesOfUniformBranchesAreKept() {
        bench.run("setp.lt.u32 p0, tid, 32; @p0 bra.uni END; trap; END:");
        assertThat(bench.fault(DIVERGED, "setp.lt.u32 p0, tid, 8; @p0 bra.uni END; mov.u32 r0, 1; END:"))
                .hasMessageContaining("only lanes 0-7 do");
    }

    @Test
    void alignedOperationsNeedTheWholeWarp() {
        String half = "mov.u32 r0, dyn; setp.lt.u32 p0, tid, 16; @p0 bra END;\n%s\nEND:";
        String[] operations = {
            "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {r1}, [r0];",
            "mov.f32 f0, 0f00000000; mov.b32 r1, 0;"
                    + "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {f0,f0,f0,f0}, {r1,r1}, {r1}, {f0,f0,f0,f0};"
        };
        for (String operation : operations) {
            assertThat(bench.fault(DIVERGED, half.formatted(operation)))
                    .hasMessageMatching("(?s).*(waits for lanes of the warp that do not come|needs all 32 lanes).*");
        }
    }

    @Test
    void barrierInBothBranchesIsNotOneBarrier() {
        assertThat(bench.fault(
                        DIVERGED, "setp.lt.u32 p0, tid, 16; @p0 bra A; bar.sync 0; bra END; A: bar.sync 0; END:"))
                .hasMessageContaining("lanes 16-31 at line")
                .hasMessageContaining("lanes 0-15 at line");
    }

    @Test
    void guardsDoNotDivideAlignedOperations() {
        assertThat(bench.fault(DIVERGED, "setp.lt.u32 p0, tid, 16; @p0 bar.sync 0;"))
                .hasMessageContaining("its guard leaves out lanes 16-31");
    }

    @Test
    void lanesThatExitedDoNotCountForBarriers() {
        new Bench().block(64).run("and.b32 r0, tid, 31; setp.eq.u32 p0, r0, 5; @p0 exit; bar.sync 0;");
    }

    @Test
    void memberMasksNameThoseWhoCome() {
        bench.run(
                "setp.lt.u32 p0, tid, 16; @p0 bra LOW; bar.warp.sync 0xffff0000; bra END; LOW: bar.warp.sync 0xffff; END:");
        assertThat(bench.fault(MEMBER_MASK, "bar.warp.sync 0xffff;"))
                .hasMessageContaining("lane 16, which its mask 0xffff leaves out");
        assertThat(bench.fault(MEMBER_MASK, "setp.lt.u32 p0, tid, 4; @p0 exit; bar.warp.sync -1;"))
                .hasMessageContaining("names lanes 0-3, which exited");
        assertThat(bench.fault(
                        DIVERGED, "setp.lt.u32 p0, tid, 16; @p0 bra END; bar.warp.sync -1; END: bar.warp.sync -1;"))
                .hasMessageContaining("bar.warp.sync waits for lanes");
    }

    @Test
    void groupsOfAWarpMaySynchroniseApart() {
        // Masks of groups of eight, in one instruction.
        bench.run("""
                and.b32 r1, tid, 24; mov.u32 r2, 255; shl.b32 r2, r2, r1;
                setp.lt.u32 p0, tid, 8; @p0 bra SKIP;
                mov.u32 r0, tid; SKIP: mov.u32 r0, tid; shfl.sync.down.b32 r0, r0, 1, 0x1807, r2;
                """ + STORE, out);
        assertThat(bench.readInts(out, 32)).isEqualTo(lanes(i -> i % 8 == 7 ? i : i + 1));
    }

    @Test
    void indexedBranchesGoWhereTheyAreSent() {
        String text = """
                TARGETS: .branchtargets A, B, C;
                rem.u32 r1, tid, %d; brx.idx r1, TARGETS;
                A: mov.u32 r0, 10; bra END;
                B: mov.u32 r0, 11; bra END;
                C: mov.u32 r0, 12;
                END:
                """ + STORE;
        bench.run(text.formatted(3), out);
        assertThat(bench.readInts(out, 32)).isEqualTo(lanes(i -> 10 + i % 3));
        assertThat(bench.fault(TRAP, text.formatted(4), out)).hasMessageContaining("target 3 of 3");
    }

    @Test
    void loopsWithoutEndAreStopped() {
        Bench small = new Bench(Options.DEFAULT.withInstructionBudget(100_000));
        assertThat(small.fault(BUDGET, "LOOP: bra LOOP;")).hasMessageContaining("does a loop not end");
    }

    @Test
    void partialWarpsHaveTheirLanesOnly() {
        Bench odd = new Bench().block(45);
        long memory = odd.output(45 * 4);
        odd.run("mad.wide.u32 rd0, tid, 4, a0; activemask.b32 r0; bar.sync 0; st.global.u32 [rd0], r0;", memory);
        assertThat(odd.readInts(memory, 45))
                .isEqualTo(IntStream.range(0, 45).map(i -> i < 32 ? -1 : 0x1fff).toArray());
        assertThat(odd.fault(MEMBER_MASK, "bar.warp.sync -1;")).hasMessageContaining("lanes 13-31");
        assertThat(odd.fault(
                        DIVERGED,
                        "setp.lt.u32 p0, tid, 32; @p0 exit; mov.u32 r0, dyn;"
                                + "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {r1}, [r0];"))
                .hasMessageContaining("needs all 32 lanes of the warp, but only lanes 0-12 are left");
    }
}
