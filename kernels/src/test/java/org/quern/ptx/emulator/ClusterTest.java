package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.quern.ptx.emulator.EmulatorFault.Kind.ASYNC_COPY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.BARRIER;
import static org.quern.ptx.emulator.EmulatorFault.Kind.DEADLOCK;
import static org.quern.ptx.emulator.EmulatorFault.Kind.LAUNCH;
import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;
import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.ptx.emulator.Options.Blocks;
import org.quern.ptx.emulator.Options.Copies;
import org.quern.ptx.emulator.Options.Device;
import org.quern.ptx.emulator.Options.Schedule;

class ClusterTest {
    private static final String SYNC = "barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;\n";

    /// r0 = the rank, r1 = that of the next block, r2 = the thread's place in shared memory, r3 = that in the next
    /// block.
    private static final String BEGIN = """
            mov.u32 r0, %cluster_ctarank; mov.u32 r30, %cluster_nctarank; add.u32 r1, r0, 1; rem.u32 r1, r1, r30;
            mov.u32 r2, dyn; mad.lo.u32 r2, tid, 4, r2; mapa.shared::cluster.u32 r3, r2, r1;
            setp.eq.u32 p0, tid, 0; setp.eq.u32 p1, r0, 0;
            """;

    private static Bench bench(Options options, int blocks) {
        return new Bench(options.withDevice(Device.SM_90).withSeed(11))
                .grid(2 * blocks)
                .block(64)
                .shared(4096)
                .directives(".explicitcluster .reqnctapercluster %d, 1, 1".formatted(blocks));
    }

    private static Bench bench(Schedule schedule, int blocks) {
        return bench(Options.DEFAULT.withSchedule(schedule).withBlocks(Blocks.SHUFFLED), blocks);
    }

    private static Bench bench(int blocks) {
        return bench(Schedule.ROUND_ROBIN, blocks);
    }

    private static Bench bench(Copies copies) {
        return bench(Options.DEFAULT.withCopies(copies).withSchedule(Schedule.RANDOM), 2);
    }

    private static String await(String name, String place, int parity, String scope) {
        return "%s: mbarrier.try_wait.parity%s.shared::cta.b64 p7, [%s], %d; @!p7 bra %s;\n"
                .formatted(name, scope, place, parity, name);
    }

    /// What a schedule meets first when something is missing.
    private static void broken(Bench bench, String body, long... arguments) {
        EmulatorFault fault = catchThrowableOfType(EmulatorFault.class, () -> bench.run(body, arguments));
        assertThat(fault.kind()).as(fault.getMessage()).isIn(RACE, UNDEFINED_MEMORY, DEADLOCK, ASYNC_COPY, BARRIER);
    }

    /// Stores r20 as the thread's word of the grid.
    private static final String OUT = "mov.u32 r31, %ctaid.x; mov.u32 r32, %ntid.x; mad.lo.u32 r31, r31, r32, tid;"
            + "mad.wide.u32 rd0, r31, 4, a0; st.global.u32 [rd0], r20;\n";

    @Test
    void blocksKnowTheirPlace() {
        List<String> names = List.of(
                "cluster_ctarank",
                "cluster_nctarank",
                "cluster_ctaid.x",
                "cluster_nctaid.x",
                "clusterid.x",
                "nclusterid.x",
                "cluster_nctaid.y",
                "ctaid.x");
        StringBuilder body = new StringBuilder("mov.u32 r1, %ctaid.x; mad.wide.u32 rd0, r1, 32, a0;\n");
        for (int i = 0; i < names.size(); i++) {
            body.append("mov.u32 r0, %")
                    .append(names.get(i))
                    .append("; st.global.u32 [rd0+%d], r0;\n".formatted(4 * i));
        }
        Bench bench = bench(3).block(1);
        long out = bench.output(6 * 32);
        bench.run(body + "mov.pred p0, %is_explicit_cluster; @!p0 trap;", out);
        int[] words = bench.readInts(out, 48);
        for (int block = 0; block < 6; block++) {
            assertThat(java.util.Arrays.copyOfRange(words, 8 * block, 8 * block + 8))
                    .containsExactly(block % 3, 3, block % 3, 3, block / 3, 2, 1, block);
        }
        bench.directives("").run(body + "mov.pred p0, %is_explicit_cluster; @p0 trap;", out);
        assertThat(bench.readInts(out, 16)).containsExactly(0, 1, 0, 1, 0, 6, 1, 0, 0, 1, 0, 1, 1, 6, 1, 1);
    }

    @Test
    void ranksCountXFirst() {
        Bench bench = bench(2).grid(4).block(1).directives(".reqnctapercluster 4");
        long out = bench.output(16);
        bench.run(
                "mov.u32 r0, %ctaid.x; mad.wide.u32 rd0, r0, 4, a0; mov.u32 r1, %cluster_ctarank;"
                        + "st.global.u32 [rd0], r1;",
                out);
        assertThat(bench.readInts(out, 4)).containsExactly(0, 1, 2, 3);
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void blocksReadWhatOthersWroteBeforeABarrier(Schedule schedule) {
        Bench bench = bench(schedule, 3);
        long out = bench.output(6 * 64 * 4);
        String write = "mad.lo.u32 r4, r0, 1000, tid; st.shared.u32 [r2], r4;\n";
        String read = "ld.shared::cluster.u32 r20, [r3];\n";
        bench.run(BEGIN + write + SYNC + read + SYNC + OUT, out);
        int[] expected = IntStream.range(0, 6 * 64)
                .map(i -> (i / 64 + 1) % 3 * 1000 + i % 64)
                .toArray();
        assertThat(bench.readInts(out, 6 * 64)).isEqualTo(expected);
        // Without one barrier or the other, or one that releases nothing.
        assertThat(bench.fault(RACE, BEGIN + write + read + SYNC + OUT, out))
                .hasMessageContaining("need not have begun");
        broken(bench, BEGIN + SYNC + write + "bar.sync 0;" + read + SYNC + OUT, out);
        broken(bench, BEGIN + write + SYNC.replace("arrive", "arrive.relaxed") + read + SYNC + OUT, out);
        bench.run(
                BEGIN + write + "fence.acq_rel.cluster;" + SYNC.replace("arrive", "arrive.relaxed") + read + SYNC, out);
        // The memory of a block is gone when it ends.
        EmulatorFault fault =
                catchThrowableOfType(EmulatorFault.class, () -> bench.run(BEGIN + write + SYNC + read + OUT, out));
        assertThat(fault.kind()).isEqualTo(RACE);
        assertThat(fault.getMessage())
                .containsPattern("all of whose threads have exited|the block ends, and nothing orders");
        bench.fault(RACE, BEGIN + write + SYNC + read + "barrier.cluster.arrive.aligned;" + OUT, out);
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void blocksWriteToOthers(Schedule schedule) {
        Bench bench = bench(schedule, 2);
        long out = bench.output(4 * 64 * 4);
        String write = "mad.lo.u32 r4, r0, 1000, tid; st.shared::cluster.u32 [r3], r4;\n";
        String read = "ld.shared.u32 r20, [r2];\n";
        bench.run(BEGIN + SYNC + write + SYNC + read + OUT, out);
        int[] expected = IntStream.range(0, 4 * 64)
                .map(i -> (i / 64 + 1) % 2 * 1000 + i % 64)
                .toArray();
        assertThat(bench.readInts(out, 4 * 64)).isEqualTo(expected);
        broken(bench, BEGIN + SYNC + write + "bar.sync 0;" + read + SYNC + OUT, out);
        assertThat(bench.fault(OUT_OF_BOUNDS, BEGIN + SYNC + write.replace("::cluster", "") + SYNC))
                .hasMessageContaining("an address of mapa is for .shared::cluster");
        // What a block read before is not overwritten before the next barrier.
        String own = "st.shared.u32 [r2], tid; ld.shared.u32 r20, [r2];\n";
        bench.fault(RACE, BEGIN + SYNC + own + write + SYNC + OUT, out);
        // By generic addresses, too.
        String generic = "cvt.u64.u32 rd1, r2; cvta.shared.u64 rd1, rd1; mapa.u64 rd2, rd1, r1;"
                + "getctarank.u64 r5, rd2; setp.ne.u32 p2, r5, r1; @p2 trap; isspacep.shared::cta p2, rd2; @p2 trap;"
                + "isspacep.shared::cluster p2, rd2; @!p2 trap; mad.lo.u32 r4, r0, 1000, tid; st.u32 [rd2], r4;\n";
        bench.run(BEGIN + SYNC + generic + SYNC + read + OUT, out);
        assertThat(bench.readInts(out, 4 * 64)).isEqualTo(expected);
    }

    @Test
    void blocksAddUp() {
        Bench bench = bench(4);
        long out = bench.output(8 * 64 * 4);
        // Threads of all blocks add to a word of the first.
        String add = "mov.u32 r5, dyn; mapa.shared::cluster.u32 r6, r5, 0; @p1 st.shared.u32 [r2], 0;" + SYNC
                + "red.relaxed.cluster.shared::cluster.add.u32 [r6], 1;" + SYNC
                + "ld.shared::cluster.u32 r20, [r6];" + SYNC;
        bench.run(BEGIN + add + OUT, out);
        assertThat(bench.readInts(out, 8 * 64)).containsOnly(256);
        assertThat(bench.fault(OUT_OF_BOUNDS, BEGIN + "mapa.shared::cluster.u32 r6, r2, 4;"))
                .hasMessageContaining("asks for block 4 of the cluster, which has 4");
        bench.fault(OUT_OF_BOUNDS, BEGIN + SYNC + "ld.shared.u32 r20, [r3];");
        bench.fault(OUT_OF_BOUNDS, BEGIN + SYNC + "ld.shared::cluster.u32 r20, [r3+0x4000000];");
        bench.fault(OUT_OF_BOUNDS, BEGIN + SYNC + "ld.shared::cluster.u32 r20, [r3+0x1000];");
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void barriersAreArrivedAtAndWaitedForByTurns(Schedule schedule) {
        Bench bench = bench(schedule, 2);
        String arrive = "barrier.cluster.arrive.release;\n";
        String wait = "barrier.cluster.wait.acquire;\n";
        bench.run(BEGIN + (arrive + wait).repeat(5));
        assertThat(bench.fault(BARRIER, BEGIN + arrive + arrive)).hasMessageContaining("without having waited");
        assertThat(bench.fault(BARRIER, BEGIN + wait)).hasMessageContaining("have not arrived at it");
        bench.fault(BARRIER, BEGIN + arrive + wait + wait);
    }

    @Test
    void blocksThatStayAwayKeepTheOthers() {
        Bench bench = bench(2);
        EmulatorFault fault = bench.fault(
                DEADLOCK,
                BEGIN + "@p0 mbarrier.init.shared::cta.b64 [r2], 1; bar.sync 0; mov.u32 r6, dyn; @p1 bra L;\n"
                        + await("W", "r6", 0, "") + "L: barrier.cluster.arrive; barrier.cluster.wait;");
        assertThat(fault)
                .hasMessageContaining("no thread of the cluster can go on")
                .hasMessageContaining("block (3, 0, 0), warp 1: ");
        // Those that exited are not waited for.
        bench.run(BEGIN + "@p1 exit;" + SYNC + SYNC);
        bench.run(BEGIN + SYNC + "setp.gt.u32 p2, tid, 40; @p2 exit; barrier.cluster.arrive; barrier.cluster.wait;");
    }

    /// An mbarrier at r5 for so many arrivals; r6 is that of the next block.
    private static String barrier(int arrivals) {
        return BEGIN + "mov.u32 r5, dyn; add.u32 r5, r5, 2048; mapa.shared::cluster.u32 r6, r5, r1;\n"
                + "@p0 mbarrier.init.shared::cta.b64 [r5], %d; @p0 fence.mbarrier_init.release.cluster;\n"
                        .formatted(arrivals)
                + SYNC;
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void arrivalsTellOtherBlocks(Schedule schedule) {
        Bench bench = bench(schedule, 2);
        long out = bench.output(4 * 64 * 4);
        String write = "mad.lo.u32 r4, r0, 1000, tid; st.shared::cluster.u32 [r3], r4;\n";
        String arrive = "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [r6];\n";
        String wait = await("W", "r5", 0, ".acquire.cluster");
        String read = "ld.shared.u32 r20, [r2];\n";
        bench.run(barrier(64) + write + arrive + wait + read + OUT, out);
        int[] expected = IntStream.range(0, 4 * 64)
                .map(i -> (i / 64 + 1) % 2 * 1000 + i % 64)
                .toArray();
        assertThat(bench.readInts(out, 4 * 64)).isEqualTo(expected);
        // The fence of the initialisation is enough for a relaxed barrier to tell of it, but not of what was stored.
        String relaxed = barrier(64).replace("arrive.aligned", "arrive.relaxed.aligned");
        bench.run(relaxed + write + arrive + wait + read + OUT, out);
        broken(bench, relaxed.replace("fence.mbarrier_init.release.cluster", "mov.u32 r7, 0") + arrive + wait);
        broken(bench, relaxed.replace("@p0 fence", "@!p0 fence") + arrive + wait);
        // In the scope of the block alone, nothing is told.
        bench.fault(RACE, barrier(64) + write + arrive.replace(".release.cluster", "") + wait + read + OUT, out);
        bench.fault(RACE, barrier(64) + write + arrive + await("W", "r5", 0, "") + read + OUT, out);
        bench.fault(RACE, barrier(64) + write + arrive.replace("release", "relaxed") + wait + read + OUT, out);
        bench.fault(DEADLOCK, barrier(65) + write + arrive + wait + read + OUT, out);
        broken(bench, barrier(32) + write + arrive + wait + read + OUT, out);
        bench.fault(RACE, barrier(64).replace(SYNC, "bar.sync 0;") + write + arrive + wait + read + OUT, out);
        // A block that does not wait may end before others arrive.
        bench.fault(RACE, barrier(64) + arrive, out);
        // An arrival elsewhere tells no state, and nobody waits elsewhere.
        bench.fault(UNSUPPORTED, barrier(64) + arrive.replace("_", "rd0"));
        bench.fault(UNSUPPORTED, barrier(64) + arrive + wait.replace("shared::cta", "shared::cluster"));
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void bytesAreAnnouncedFromOutside(Schedule schedule) {
        Bench bench = bench(schedule, 2);
        String wait = await("W", "r5", 0, ".acquire.cluster");
        String expect = "@p0 mbarrier.arrive.expect_tx.release.cluster.shared::cluster.b64 _, [r6], 32;\n";
        String complete = "@p0 mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [r6], 32;\n";
        bench.run(barrier(1) + expect + complete + wait + SYNC);
        bench.fault(DEADLOCK, barrier(1) + expect + complete.replace("32", "16") + wait + SYNC);
    }

    /// 64 threads of each block load half of 2 kB to both blocks.
    private static final String EXPECT = "@p0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [r5], 1024;\n";

    private static final String MULTICAST = """
            mov.u32 r8, dyn; mad.lo.u32 r8, r0, 512, r8; mul.wide.u32 rd1, r0, 512; add.u64 rd1, rd1, a1; mov.b16 h0, 3;
            @p0 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster
                [r8], [rd1], 512, [r5], h0;
            """;

    private static final String READ = """
            mov.u32 r9, dyn; mad.lo.u32 r9, tid, 16, r9; ld.shared.v4.u32 {r10, r11, r12, r13}, [r9];
            mov.u32 r31, %ctaid.x; mad.lo.u32 r31, r31, 64, tid; mad.wide.u32 rd0, r31, 16, a0;
            st.global.v4.u32 [rd0], {r10, r11, r12, r13};
            """;

    @ParameterizedTest
    @EnumSource(Copies.class)
    void copiesReachAllBlocksOfTheirMask(Copies copies) {
        Bench bench = bench(copies);
        int[] numbers = IntStream.range(0, 256).map(i -> i * 0x10001 + 7).toArray();
        long in = bench.ints(numbers);
        long out = bench.output(4 * 1024);
        String wait = await("W", "r5", 0, "");
        Statistics statistics = bench.run(barrier(1) + EXPECT + MULTICAST + wait + READ, out, in);
        // What the cache is read for: each of four copies once, however many blocks it reaches.
        assertThat(statistics.accesses().stream()
                        .filter(access -> access.text().contains("multicast"))
                        .map(access -> access.requests() + ", " + access.sectors() + ", " + access.bytes()))
                .containsExactly("4, 64, 2048");
        for (int block = 0; block < 4; block++) {
            assertThat(bench.readInts(out + 1024 * block, 256)).isEqualTo(numbers);
        }
        // Every part is needed.
        broken(bench, barrier(1) + EXPECT + MULTICAST + READ, out, in);
        bench.fault(ASYNC_COPY, barrier(1) + EXPECT + MULTICAST, out, in);
        bench.fault(DEADLOCK, barrier(1) + EXPECT + MULTICAST.replace("h0, 3", "h0, 1") + wait + READ, out, in);
        bench.fault(OUT_OF_BOUNDS, barrier(1) + EXPECT + MULTICAST.replace("h0, 3", "h0, 7") + wait + READ, out, in);
        broken(bench, barrier(1) + EXPECT.replace("1024", "512") + MULTICAST + wait + READ, out, in);
        bench.fault(RACE, barrier(1).replace(SYNC, "bar.sync 0;") + EXPECT + MULTICAST + wait + READ, out, in);
        bench.fault(
                ASYNC_COPY,
                barrier(1).replace("@p0 fence.mbarrier_init.release.cluster;", "") + EXPECT + MULTICAST + wait + READ,
                out,
                in);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void copiesReachTheBlockOfTheirAddress(Copies copies) {
        // Each block loads its own kB to the other one, by addresses of the cluster.
        Bench bench = bench(copies);
        int[] numbers = IntStream.range(0, 512).map(i -> i * 0x10001 + 7).toArray();
        long in = bench.ints(numbers);
        long out = bench.output(4 * 1024);
        String load = """
                mul.wide.u32 rd1, r0, 1024; add.u64 rd1, rd1, a1; mov.u32 r8, dyn; mapa.shared::cluster.u32 r8, r8, r1;
                @p0 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [r8], [rd1], 1024, [r6];
                """;
        String wait = await("W", "r5", 0, "");
        bench.run(barrier(1) + EXPECT + load + wait + READ, out, in);
        for (int block = 0; block < 4; block++) {
            int first = 256 * (1 - block % 2);
            assertThat(bench.readInts(out + 1024 * block, 256))
                    .isEqualTo(java.util.Arrays.copyOfRange(numbers, first, first + 256));
        }
        broken(bench, barrier(1) + EXPECT + load + READ, out, in);
        bench.fault(RACE, barrier(1).replace(SYNC, "bar.sync 0;") + EXPECT + load + wait + READ, out, in);
        assertThat(bench.fault(TRAP, barrier(1) + EXPECT + load.replace("[r6]", "[r5]") + wait + READ, out, in))
                .hasMessageContaining("both must be of one block");
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void whatOtherBlocksReadIsOverwrittenAfterTheyArrived(Copies copies) {
        // Twice the same place: both blocks have read it when both have arrived in `empty`, of each block, at r5 + 8.
        Bench bench = bench(copies);
        long in = bench.ints(IntStream.range(0, 256).toArray());
        long out = bench.output(4 * 1024);
        String begin = barrier(1).replace("@p0 fence", "@p0 mbarrier.init.shared::cta.b64 [r5+8], 4; @p0 fence")
                + "and.b32 r33, tid, 31; setp.eq.u32 p3, r33, 0; mapa.shared::cluster.u32 r34, r5, r0;\n";
        String arrive = "bar.warp.sync -1; @p3 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [r34+8];\n"
                + "@p3 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [r6+8];\n";
        String empty = "@!p0 bra SKIP;\n" + await("E", "r5+8", 0, ".acquire.cluster") + "SKIP:\n";
        String again = EXPECT + MULTICAST + await("V", "r5", 1, "") + READ + SYNC;
        String once = EXPECT + MULTICAST + await("W", "r5", 0, "") + READ;
        bench.run(begin + once + arrive + empty + again, out, in);
        broken(bench, begin + once + arrive + again, out, in);
        bench.fault(RACE, begin + once + arrive + empty.replace(".acquire.cluster", "") + again, out, in);
        bench.fault(RACE, begin + once + arrive.replace("release.cluster", "relaxed.cluster") + empty + again, out, in);
        broken(bench, begin.replace("b64 [r5+8], 4", "b64 [r5+8], 2") + once + arrive + empty + again, out, in);
    }

    @ParameterizedTest
    @ValueSource(strings = {".reqnctapercluster 4, 1, 1", ".reqnctapercluster 1, 2, 1", ".reqnctapercluster 16, 1, 1"})
    void gridsAreOfWholeClusters(String directive) {
        bench(2).grid(6).directives(directive).fault(LAUNCH, "");
    }

    @Test
    void clustersNeedTheirTarget() {
        assertThat(new Bench().fault(UNSUPPORTED, "barrier.cluster.arrive; barrier.cluster.wait;"))
                .hasMessageContaining("needs .target sm_90");
    }
}
