package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.ASYNC_COPY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.MISALIGNED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;
import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.ptx.emulator.Options.Copies;

class AsyncCopyTest {
    /// r1 = the thread's 16 bytes of shared memory, rd0 = those of global memory.
    private static final String PLACES =
            "mov.u32 r0, dyn; mad.lo.u32 r1, tid, 16, r0; mad.wide.u32 rd0, tid, 16, a0; xor.b32 r3, tid, 1;"
                    + "mad.lo.u32 r2, r3, 16, r0;\n";
    private static final String COPY = PLACES + "cp.async.cg.shared.global.L2::128B [r1], [rd0], 16;\n";

    private static Bench bench(Copies copies) {
        return new Bench(Options.DEFAULT.withCopies(copies).withSeed(11)).block(64);
    }

    private static long input(Bench bench) {
        return bench.ints(IntStream.range(0, 64 * 4).toArray());
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void copiesArriveAfterTheWait(Copies copies) {
        Bench bench = bench(copies);
        long out = bench.output(64 * 16);
        bench.run(
                COPY + "cp.async.commit_group; cp.async.wait_group 0; bar.sync 0; ld.shared.v4.u32 {r4,r5,r6,r7}, [r2];"
                        + "mad.wide.u32 rd1, r3, 16, a1; st.global.v4.u32 [rd1], {r4,r5,r6,r7};",
                input(bench),
                out);
        assertThat(bench.readInts(out, 256)).isEqualTo(IntStream.range(0, 256).toArray());
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void theCopyingThreadNeedsNoBarrier(Copies copies) {
        Bench bench = bench(copies);
        bench.run(COPY + "cp.async.wait_all; ld.shared.u32 r4, [r1];", input(bench));
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void readingBeforeTheWaitIsAnError(Copies copies) {
        Bench bench = bench(copies);
        long in = input(bench);
        assertThat(bench.fault(ASYNC_COPY, COPY + "ld.shared.u32 r4, [r1]; cp.async.wait_all;", in))
                .hasMessageContaining("reads shared memory at 0x400 while thread (0, 0, 0) may still be copying to it")
                .hasMessageContaining("cp.async.cg.shared.global.L2::128B");
        // A commit is no wait, and neither is a wait that lets the group stay open.
        bench.fault(ASYNC_COPY, COPY + "cp.async.commit_group; ld.shared.u32 r4, [r1]; cp.async.wait_all;", in);
        bench.fault(
                ASYNC_COPY,
                COPY + "cp.async.commit_group; cp.async.wait_group 1; ld.shared.u32 r4, [r1]; cp.async.wait_all;",
                in);
        // A group that was not committed is not waited for.
        bench.fault(ASYNC_COPY, COPY + "cp.async.wait_group 0; ld.shared.u32 r4, [r1]; cp.async.wait_all;", in);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void overwritingBeforeTheWaitIsAnError(Copies copies) {
        Bench bench = bench(copies);
        long in = input(bench);
        assertThat(bench.fault(ASYNC_COPY, COPY + "st.shared.u32 [r1], tid; cp.async.wait_all;", in))
                .hasMessageContaining("writes shared memory");
        bench.fault(ASYNC_COPY, COPY + "cp.async.ca.shared.global [r1], [rd0], 4; cp.async.wait_all;", in);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void otherThreadsNeedABarrierAfterTheWait(Copies copies) {
        Bench bench = bench(copies);
        long in = input(bench);
        String wait = COPY + "cp.async.wait_all;\n";
        bench.run(wait + "bar.warp.sync -1; ld.shared.u32 r4, [r2];", in);
        assertThat(bench.fault(RACE, wait + "ld.shared.u32 r4, [r2];", in)).hasMessageContaining("bar.warp.sync");
        String far = wait + "mov.u32 r5, 63; sub.u32 r5, r5, tid; mad.lo.u32 r2, r5, 16, r0; ";
        bench.run(far + "bar.sync 0; ld.shared.u32 r4, [r2];", in);
        bench.fault(
                ASYNC_COPY,
                COPY + "mov.u32 r5, 63; sub.u32 r5, r5, tid; mad.lo.u32 r2, r5, 16, r0; bar.sync 0;"
                        + "ld.shared.u32 r4, [r2]; cp.async.wait_all;",
                in);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void aBarrierBeforeTheWaitDoesNotHelp(Copies copies) {
        Bench bench = bench(copies);
        bench.fault(RACE, COPY + "bar.sync 0; cp.async.wait_all; ld.shared.u32 r4, [r2];", input(bench));
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void overwritingWhatOthersStillReadIsARace(Copies copies) {
        Bench bench = bench(copies);
        String first = COPY + "cp.async.wait_all; bar.sync 0; ld.shared.u32 r4, [r2];\n";
        String second = "cp.async.cg.shared.global [r1], [rd0], 16; cp.async.wait_all;";
        bench.run(first + "bar.sync 0;" + second, input(bench));
        bench.fault(RACE, first + second, input(bench));
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void groupsCompleteInOrder(Copies copies) {
        Bench bench = bench(copies);
        long in = input(bench);
        String two = PLACES
                + "cp.async.ca.shared.global [r1], [rd0], 8; cp.async.commit_group;"
                + "cp.async.ca.shared.global [r1+8], [rd0+8], 8; cp.async.commit_group; cp.async.commit_group;"
                + "cp.async.wait_group 2; ld.shared.v2.u32 {r4, r5}, [r1];\n";
        bench.run(
                two + "cp.async.wait_group 1; ld.shared.v2.u32 {r6, r7}, [r1+8]; sub.u32 r8, r6, r4;"
                        + "setp.ne.u32 p0, r8, 2; @p0 trap;",
                in);
        bench.fault(ASYNC_COPY, two + "ld.shared.v2.u32 {r6, r7}, [r1+8]; cp.async.wait_all;", in);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void lanesHaveTheirOwnGroups(Copies copies) {
        Bench bench = bench(copies);
        // Half of the lanes commit, the other half do not.
        String half = COPY + "setp.lt.u32 p0, tid, 16; @p0 cp.async.commit_group; cp.async.wait_group 0;\n";
        bench.run(half + "@p0 ld.shared.u32 r4, [r1]; cp.async.wait_all;", input(bench));
        assertThat(bench.fault(ASYNC_COPY, half + "ld.shared.u32 r4, [r1]; cp.async.wait_all;", input(bench)))
                .hasMessageContaining("thread (16, 0, 0)");
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void leavingWithOpenCopiesIsAnError(Copies copies) {
        Bench bench = bench(copies);
        assertThat(bench.fault(ASYNC_COPY, COPY, input(bench)))
                .hasMessageContaining("exits without having waited for the copy of line");
        bench.fault(ASYNC_COPY, COPY + "cp.async.commit_group; cp.async.wait_group 1;", input(bench));
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void whatIsMissingOfTheSourceBecomesZero(Copies copies) {
        Bench bench = bench(copies);
        long in = bench.ints(-1, -1, -1);
        long out = bench.output(64);
        bench.block(4).run("""
                mov.u32 r0, dyn; mad.lo.u32 r1, tid, 16, r0; mul.lo.u32 r3, tid, 5; min.u32 r3, r3, 12;
                setp.eq.u32 p1, tid, 3; @p1 mov.u32 r3, 0; mov.u64 rd0, a0; @p1 add.u64 rd0, a0, 1048576;
                cp.async.cg.shared.global [r1], [rd0], 16, r3; cp.async.wait_all;
                ld.shared.v4.u32 {r4,r5,r6,r7}, [r1]; mad.wide.u32 rd1, tid, 16, a1;
                st.global.v4.u32 [rd1], {r4,r5,r6,r7};
                """, in, out);
        assertThat(bench.readInts(out, 16)).containsExactly(0, 0, 0, 0, -1, 0xff, 0, 0, -1, -1, 0xffff, 0, 0, 0, 0, 0);
        bench.block(1);
        bench.fault(OUT_OF_BOUNDS, "cp.async.cg.shared.global [dyn], [a0], 16, 13; cp.async.wait_all;", in);
        bench.fault(OUT_OF_BOUNDS, "cp.async.cg.shared.global [dyn], [a0], 16; cp.async.wait_all;", in);
        assertThat(bench.fault(TRAP, "mov.u32 r0, 17; cp.async.cg.shared.global [dyn], [a0], 16, r0;", in))
                .hasMessageContaining("the source of a copy of 16 bytes has 17");
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void aPredicateMayLeaveTheSourceOut(Copies copies) {
        Bench bench = bench(copies);
        long out = bench.output(64 * 4);
        bench.run(
                PLACES + "setp.lt.u32 p0, tid, 32; cp.async.ca.shared.global [r1], [rd0], 4, !p0; cp.async.wait_all;"
                        + "ld.shared.u32 r4, [r1]; mad.wide.u32 rd1, tid, 4, a1; st.global.u32 [rd1], r4;",
                input(bench),
                out);
        assertThat(bench.readInts(out, 64))
                .isEqualTo(IntStream.range(0, 64).map(i -> i < 32 ? 4 * i : 0).toArray());
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void theSourceMustStayAsItIs(Copies copies) {
        Bench bench = bench(copies);
        assertThat(bench.fault(
                        ASYNC_COPY,
                        COPY + "mov.u32 r9, 999; st.global.u32 [rd0], r9; cp.async.wait_all;",
                        input(bench)))
                .hasMessageContaining("changed while");
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void checksAlignmentAndDefinedness(Copies copies) {
        Bench bench = bench(copies).block(1);
        long in = input(bench);
        bench.fault(MISALIGNED, "cp.async.cg.shared.global [dyn], [a0+8], 16;", in);
        bench.fault(MISALIGNED, "cp.async.cg.shared.global [dyn+8], [a0], 16;", in);
        bench.fault(OUT_OF_BOUNDS, "cp.async.cg.shared.global [dyn+4096], [a0], 16;", in);
        bench.fault(UNDEFINED_MEMORY, "cp.async.ca.shared.global [dyn], [a0], 4; cp.async.wait_all;", bench.output(4));
        bench.fault(UNSUPPORTED, "cp.async.cg.shared.global [dyn], [a0], 8;", in);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void ringsOfStagesWork(Copies copies) {
        // Four stages, three in flight; every thread reads what another one copied.
        String ring = """
                mov.u32 r0, dyn; mad.lo.u32 r1, tid, 16, r0; mov.u32 r10, 0; mov.u32 r20, 0;
                mov.u32 r5, 63; sub.u32 r5, r5, tid; mad.lo.u32 r2, r5, 16, r0;
                FILL: mad.lo.u32 r11, r10, 1024, r1; mad.wide.u32 rd0, tid, 16, a0; mad.wide.u32 rd0, r10, 1024, rd0;
                cp.async.cg.shared.global [r11], [rd0], 16; cp.async.commit_group;
                add.u32 r10, r10, 1; setp.lt.u32 p0, r10, 3; @p0 bra FILL;
                mov.u32 r12, 0;
                LOOP: cp.async.wait_group 2; %s
                and.b32 r13, r12, 3; mad.lo.u32 r14, r13, 1024, r2; ld.shared.u32 r15, [r14]; add.u32 r20, r20, r15;
                add.u32 r16, r12, 3; setp.ge.u32 p1, r16, 9; @p1 bra EMPTY;
                and.b32 r17, r16, 3; mad.lo.u32 r11, r17, 1024, r1; mad.wide.u32 rd0, tid, 16, a0;
                mad.wide.u32 rd0, r16, 1024, rd0; cp.async.cg.shared.global [r11], [rd0], 16;
                EMPTY: cp.async.commit_group; add.u32 r12, r12, 1; setp.lt.u32 p0, r12, 9; @p0 bra LOOP;
                cp.async.wait_all; mad.wide.u32 rd1, tid, 4, a1; st.global.u32 [rd1], r20;
                """;
        for (Options.Schedule schedule : Options.Schedule.values()) {
            Bench bench = new Bench(Options.DEFAULT.withCopies(copies).withSchedule(schedule)).block(64);
            long in = bench.ints(IntStream.range(0, 9 * 256).toArray());
            long out = bench.output(256);
            bench.run(ring.formatted("bar.sync 0;"), in, out);
            assertThat(bench.readInts(out, 64))
                    .isEqualTo(IntStream.range(0, 64)
                            .map(t -> IntStream.range(0, 9)
                                    .map(k -> k * 256 + (63 - t) * 4)
                                    .sum())
                            .toArray());
            EmulatorFault fault = org.assertj.core.api.Assertions.catchThrowableOfType(
                    EmulatorFault.class, () -> bench.run(ring.formatted(""), in, out));
            assertThat(fault.kind()).isIn(RACE, ASYNC_COPY, UNDEFINED_MEMORY);
        }
    }
}
