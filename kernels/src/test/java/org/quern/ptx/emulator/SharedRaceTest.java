package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.ptx.emulator.Options.Schedule;

class SharedRaceTest {
    /// r1 = address of the thread's own word, r2 = that of the thread `n` further on.
    private static String words(int n, int threads) {
        return "mov.u32 r0, dyn; mad.lo.u32 r1, tid, 4, r0; add.u32 r2, tid, %d; and.b32 r2, r2, %d; mad.lo.u32 r2, r2, 4, r0;\n"
                .formatted(n, threads - 1);
    }

    private static Bench bench(Schedule schedule) {
        return new Bench(Options.DEFAULT.withSchedule(schedule).withSeed(3)).block(64);
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void readAcrossWarpsNeedsABarrier(Schedule schedule) {
        String write = words(32, 64) + "st.shared.u32 [r1], tid;\n";
        String read = "ld.shared.u32 r3, [r2];\n";
        bench(schedule).run(write + "bar.sync 0;" + read);
        // Whoever comes first, the other one is late: the read finds nothing, or the race is seen.
        Bench initialised = bench(schedule);
        assertThat(initialised.fault(RACE, write + "bar.sync 0; st.shared.u32 [r1], tid;\n" + read))
                .hasMessageContaining("nothing orders the two: a barrier is missing between them")
                .hasMessageContaining("shared memory at 0x4")
                .hasMessageMatching(".*(reads|writes) shared memory.*which warp [01], thread.*(wrote|read) at line.*");
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void overwritingWhatOthersReadNeedsABarrier(Schedule schedule) {
        String text = words(32, 64) + "st.shared.u32 [r1], tid; bar.sync 0; ld.shared.u32 r3, [r2];\n";
        bench(schedule).run(text + "bar.sync 0; st.shared.u32 [r1], tid;");
        bench(schedule).fault(RACE, text + "st.shared.u32 [r1], tid;");
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void twoWarpsMayNotWriteTheSameWord(Schedule schedule) {
        assertThat(bench(schedule)
                        .fault(
                                RACE,
                                "setp.eq.u32 p0, tid, 0; setp.eq.or.u32 p0, tid, 32, p0;"
                                        + "@p0 st.shared.u32 [dyn], tid;"))
                .hasMessageContaining("writes shared memory at 0x400")
                .hasMessageContaining("wrote at line");
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void allMayStoreTheSame(Schedule schedule) {
        String store = "st.shared.u32 [dyn], 7;\n";
        String read = "ld.shared.u32 r3, [dyn];\n";
        bench(schedule).run(store + "bar.sync 0;" + read);
        bench(schedule)
                .fault(RACE, "mov.u32 r0, 7; setp.ge.u32 p0, tid, 32; @p0 mov.u32 r0, 8; st.shared.u32 [dyn], r0;");
        // Who reads it waits, and so does who overwrites what was read.
        bench(schedule).fault(RACE, store + read);
        bench(schedule).fault(RACE, store + "bar.sync 0;" + read + store);
    }

    @Test
    void aWarpMayStoreRowsThatItHasLoadedTogether() {
        Bench bench = new Bench(Options.DEFAULT.withDevice(Options.Device.SM_90));
        String load = "mov.u32 r1, dyn; mad.lo.u32 r1, tid, 16, r1; st.shared.v4.u32 [r1], {tid, tid, tid, tid};"
                + "bar.warp.sync -1; ldmatrix.sync.aligned.m8n8.x4.shared.b16 {r2, r3, r4, r5}, [r1];\n";
        bench.run(load + "stmatrix.sync.aligned.m8n8.x4.shared.b16 [r1], {r3, r4, r5, r2};");
        bench.fault(RACE, load + "st.shared.v4.u32 [r1], {r3, r4, r5, r2};");
    }

    @Test
    void lanesOfAWarpNeedAWarpBarrier() {
        String write = words(1, 32) + "st.shared.u32 [r1], tid;\n";
        Bench bench = new Bench();
        bench.run(write + "bar.warp.sync 0xffffffff; ld.shared.u32 r3, [r2];");
        assertThat(bench.fault(RACE, write + "ld.shared.u32 r3, [r2];"))
                .hasMessageContaining("bar.warp.sync or a barrier is missing between them")
                .hasMessageContaining("which thread (1, 0, 0) wrote");
        bench.fault(RACE, write + "shfl.sync.idx.b32 r4, tid, 0, 31, -1; ld.shared.u32 r3, [r2];");
        bench.fault(RACE, write + "bar.warp.sync -1; ld.shared.u32 r3, [r2]; st.shared.u32 [r1], tid;");
        bench.run(write + "bar.warp.sync -1; ld.shared.u32 r3, [r2]; bar.warp.sync -1; st.shared.u32 [r1], tid;");
    }

    @Test
    void lanesOfOneStoreMayNotMeet() {
        assertThat(new Bench().fault(RACE, "st.shared.u32 [dyn], tid;"))
                .hasMessageContaining("thread (1, 0, 0): writes shared memory");
    }

    @Test
    void aLaneMayUseItsOwnWordFreely() {
        new Bench()
                .block(64)
                .run(
                        words(0, 64)
                                + "st.shared.u32 [r1], tid; ld.shared.u32 r3, [r1]; st.shared.u32 [r1], r3; ld.shared.u32 r3, [r1];");
    }

    @Test
    void allMayReadTheSameWord() {
        new Bench()
                .block(64)
                .run(
                        "setp.eq.u32 p0, tid, 0; @p0 st.shared.u32 [dyn], tid; bar.sync 0;"
                                + "ld.shared.u32 r0, [dyn]; ld.shared.u32 r0, [dyn]; bar.sync 0; @p0 st.shared.u32 [dyn], tid;");
    }

    @Test
    void oneOfManyReadersIsEnoughForARace() {
        String read = "setp.eq.u32 p0, tid, 0; @p0 st.shared.u32 [dyn], tid; bar.sync 0; ld.shared.u32 r0, [dyn];\n";
        new Bench().fault(RACE, read + "@p0 st.shared.u32 [dyn], tid;");
        new Bench().block(96).fault(RACE, read + "bar.warp.sync -1; @p0 st.shared.u32 [dyn], tid;");
    }

    @Test
    void neighboursMayWriteHalvesOfAWord() {
        String half = "mov.u32 r0, dyn; add.u32 r1, tid, 1; mad.lo.u32 r1, r1, 2, r0; cvt.u16.u32 h0, tid;";
        Bench bench = new Bench().block(64);
        // Halves of one word belong to lanes of two warps.
        bench.run(half + "st.shared.b16 [r1], h0; ld.shared.u16 h1, [r1]; st.shared.b16 [r1], h1;");
        bench.run(half + "st.shared.b16 [r1], h0; bar.sync 0; ld.shared.u32 r3, [dyn+4];"
                + "bar.sync 0; setp.eq.u32 p0, tid, 40; @p0 st.shared.u32 [dyn+4], tid;");
        bench.fault(RACE, half + "st.shared.b16 [r1], h0; add.u32 r1, r1, 2; st.shared.b16 [r1], h0;");
        bench.fault(
                RACE,
                half + "st.shared.b16 [r1], h0; bar.sync 0; ld.shared.u16 h2, [r1]; add.u32 r1, r1, 2;"
                        + "st.shared.b16 [r1], h0;");
        bench.fault(
                RACE,
                half + "st.shared.b16 [r1], h0; bar.sync 0; ld.shared.u32 r3, [dyn+4]; setp.eq.u32 p0, tid, 40;"
                        + "@p0 st.shared.b16 [dyn+4], h0;");
    }

    @Test
    void namedBarriersOrderOnlyWhoComes() {
        // Warps 0 and 1 meet in barrier 1; warp 2 writes its word, which nobody may read.
        String text = """
                mov.u32 r0, dyn; mad.lo.u32 r1, tid, 4, r0; st.shared.u32 [r1], tid;
                setp.ge.u32 p0, tid, 64; @p0 bra DONE;
                bar.sync 1, 64;
                ld.shared.u32 r2, [dyn+%d];
                DONE:
                """;
        for (Schedule schedule : Schedule.values()) {
            new Bench(Options.DEFAULT.withSchedule(schedule)).block(96).run(text.formatted(0));
        }
        new Bench().block(96).fault(UNDEFINED_MEMORY, text.formatted(256));
    }

    @Test
    void arriveReleasesAndSyncAcquires() {
        // Warp 0 produces and only arrives; warp 1 waits and consumes.
        String text = """
                mov.u32 r0, dyn; setp.ge.u32 p0, tid, 32; @p0 bra CONSUMER;
                mad.lo.u32 r1, tid, 4, r0; st.shared.u32 [r1], tid;
                bar.arrive 2, 64;
                %s
                bra DONE;
                CONSUMER: bar.sync 2, 64; sub.u32 r2, tid, 32; mad.lo.u32 r2, r2, 4, r0; ld.shared.u32 r3, [r2];
                DONE: bar.sync 0;
                """;
        for (Schedule schedule : Schedule.values()) {
            bench(schedule).run(text.formatted(""));
            // What the producer does after it has arrived is not covered.
            bench(schedule).fault(RACE, text.formatted("st.shared.u32 [r1], tid;"));
        }
    }

    @Test
    void producersAndConsumersMayTakeTurns() {
        // A ring of two slots: full barriers 1 and 2, empty barriers 3 and 4.
        String text = """
                mov.u32 r0, dyn; mov.u32 r10, 0; setp.ge.u32 p0, tid, 32; and.b32 r9, tid, 31; @p0 bra CONSUMER;
                PRODUCER: and.b32 r1, r10, 1; setp.lt.u32 p1, r10, 2; add.u32 r2, r1, 3; @p1 bra FILL; bar.sync r2, 96;
                FILL: shl.b32 r3, r1, 7; add.u32 r3, r3, r0; mad.lo.u32 r3, r9, 4, r3; st.shared.u32 [r3], r10;
                add.u32 r2, r1, 1; bar.arrive r2, 96;
                add.u32 r10, r10, 1; setp.lt.u32 p1, r10, 6; @p1 bra PRODUCER; bra DONE;
                CONSUMER: and.b32 r1, r10, 1; add.u32 r2, r1, 1; bar.sync r2, 96;
                shl.b32 r3, r1, 7; add.u32 r3, r3, r0; xor.b32 r4, r9, 1; mad.lo.u32 r3, r4, 4, r3;
                ld.shared.u32 r5, [r3]; setp.ne.u32 p2, r5, r10; @p2 trap;
                setp.ge.u32 p1, r10, 4; @p1 bra NEXT; add.u32 r2, r1, 3; %s
                NEXT: add.u32 r10, r10, 1; setp.lt.u32 p1, r10, 6; @p1 bra CONSUMER;
                DONE: bar.sync 0;
                """;
        for (Schedule schedule : Schedule.values()) {
            new Bench(Options.DEFAULT.withSchedule(schedule).withSeed(5))
                    .block(96)
                    .run(text.formatted("bar.arrive r2, 96;"));
        }
    }

    @Test
    void flagsInSharedMemoryOrderWithFences() {
        String text = """
                mov.u32 r0, 0; setp.eq.u32 p0, tid, 0; @p0 st.shared.u32 [dyn], r0; bar.sync 0;
                setp.ge.u32 p1, tid, 32; @p1 bra READER;
                @p0 st.shared.u32 [dyn+4], tid; %s mov.u32 r1, 1; @p0 st.volatile.shared.u32 [dyn], r1; bra DONE;
                READER: ld.volatile.shared.u32 r2, [dyn]; setp.eq.u32 p2, r2, 0; @p2 bra READER; %s
                ld.shared.u32 r3, [dyn+4];
                DONE: bar.sync 0;
                """;
        for (Schedule schedule : Schedule.values()) {
            Options options = Options.DEFAULT.withSchedule(schedule);
            new Bench(options).block(64).run(text.formatted("membar.cta;", "membar.cta;"));
            new Bench(options).block(64).fault(RACE, text.formatted("", "membar.cta;"));
            new Bench(options).block(64).fault(RACE, text.formatted("membar.cta;", ""));
        }
    }

    @Test
    void blocksDoNotShareSharedMemory() {
        new Bench()
                .grid(5)
                .block(64)
                .run(words(32, 64) + "st.shared.u32 [r1], tid; bar.sync 0; ld.shared.u32 r3, [r2];");
    }
}
