package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.ptx.emulator.Options.Blocks;

class GlobalRaceTest {
    /// rd0 = address of word `index`.
    private static String word(String index) {
        return "mad.wide.u32 rd0, %s, 4, a0;\n".formatted(index);
    }

    private static final String BLOCK = "mov.u32 r0, %ctaid.x; setp.eq.u32 p0, tid, 0;\n";

    private static Bench bench(Blocks order) {
        return new Bench(Options.DEFAULT.withBlocks(order).withSeed(7));
    }

    @ParameterizedTest
    @EnumSource(Blocks.class)
    void blocksMayNotWriteTheSameWord(Blocks order) {
        Bench bench = bench(order).grid(2);
        assertThat(bench.fault(RACE, BLOCK + "@p0 st.global.u32 [a0], r0;", bench.output(4)))
                .hasMessageContaining("another block of this launch wrote at line")
                .hasMessageContaining("writes global memory at");
    }

    @ParameterizedTest
    @EnumSource(Blocks.class)
    void blocksMayNotReadWhatOthersWrite(Blocks order) {
        Bench bench = bench(order).grid(2);
        long memory = bench.ints(1, 2);
        bench.fault(RACE, BLOCK + word("r0") + "@p0 st.global.u32 [rd0], r0; @p0 ld.global.u32 r1, [a0];", memory);
        bench.run(BLOCK + word("r0") + "@p0 ld.global.u32 r1, [rd0]; @p0 st.global.u32 [rd0], r0;", memory);
    }

    @Test
    void laterReadersDoNotHideEarlierOnes() {
        // Every block reads the word; the one that writes it reads it, too.
        Bench bench = new Bench().grid(3);
        bench.fault(
                RACE,
                BLOCK + "@p0 ld.global.u32 r1, [a0]; setp.eq.and.u32 p1, r0, 2, p0; @p1 st.global.u32 [a0], r1;",
                bench.ints(1));
    }

    @Test
    void lanesOfAWarpMayStoreTheSame() {
        Bench bench = new Bench();
        long memory = bench.ints(1);
        bench.run("st.global.u32 [a0], 7;", memory);
        bench.fault(RACE, "st.global.u32 [a0], tid;", memory);
    }

    @Test
    void theNextLaunchSeesEverything() {
        Bench bench = new Bench().grid(4).block(64);
        long memory = bench.output(4 * 256);
        String index = "mov.u32 r0, %ctaid.x; mad.lo.u32 r1, r0, 64, tid;\n";
        bench.run(index + word("r1") + "st.global.u32 [rd0], r1;", memory);
        bench.run(
                index + "xor.b32 r1, r1, 255;" + word("r1") + "ld.global.u32 r2, [rd0]; st.global.u32 [rd0], r2;",
                memory);
        assertThat(bench.readInts(memory, 256))
                .isEqualTo(IntStream.range(0, 256).toArray());
    }

    @Test
    void faultsDoNotStayBehind() {
        Bench bench = new Bench().grid(2);
        long memory = bench.ints(1);
        bench.fault(RACE, BLOCK + "@p0 st.global.u32 [a0], r0;", memory);
        bench.grid(1)
                .run("setp.eq.u32 p0, tid, 0; ld.global.u32 r1, [a0]; bar.sync 0; @p0 st.global.u32 [a0], r1;", memory);
    }

    @Test
    void neighbouringBlocksMayShareAWord() {
        // bf16 rows of odd length: the last element of one row and the first of the next are one word.
        Bench bench = new Bench().grid(8).block(32);
        long memory = bench.shorts(new short[8 * 31]);
        String place = "mov.u32 r0, %ctaid.x; mad.lo.u32 r1, r0, 31, tid; mad.wide.u32 rd0, r1, 2, a0;"
                + "setp.lt.u32 p0, tid, 31;\n";
        bench.run(place + "@p0 ld.global.u16 h0, [rd0]; @p0 add.u16 h0, h0, 1; @p0 st.global.b16 [rd0], h0;", memory);
        bench.fault(RACE, place + "@p0 ld.global.u16 h0, [rd0]; st.global.b16 [rd0], 1;", memory);
    }

    @Test
    void warpsOfABlockNeedABarrier() {
        Bench bench = new Bench().block(64);
        long memory = bench.ints(new int[64]);
        String write = word("tid") + "st.global.u32 [rd0], tid; xor.b32 r1, tid, 32;";
        String read = word("r1") + "ld.global.u32 r2, [rd0];";
        bench.run(write + "bar.sync 0;" + read, memory);
        assertThat(bench.fault(RACE, write + read, memory))
                .hasMessageMatching(".*which warp \\d, thread \\(\\d+, 0, 0\\) (wrote|read) at line.*");
        bench.run(write + "bar.sync 0;" + read + "bar.sync 0;" + write, memory);
        bench.fault(RACE, write + "bar.sync 0;" + read + write, memory);
    }

    @Test
    void lanesOfAWarpNeedAWarpBarrier() {
        Bench bench = new Bench();
        long memory = bench.ints(new int[32]);
        String write = word("tid") + "st.global.u32 [rd0], tid; xor.b32 r1, tid, 1;";
        String read = word("r1") + "ld.global.u32 r2, [rd0];";
        bench.run(write + "bar.warp.sync -1;" + read, memory);
        bench.fault(RACE, write + read, memory);
    }

    /// Each block stores a partial sum; the last to count itself adds them up.
    private static String lastBlock(String release, String acquire) {
        return """
                mov.u32 r0, %%ctaid.x; mov.u32 r10, %%nctaid.x; sub.u32 r11, r10, 1;
                mad.wide.u32 rd0, r0, 4, a0; add.u32 r1, r0, 100; setp.eq.u32 p0, tid, 0;
                @p0 st.global.u32 [rd0], r1;
                %s
                mov.u32 r2, 0;
                @p0 atom.global.inc.u32 r2, [a1], r11;
                %s
                setp.eq.and.u32 p1, r2, r11, p0;
                @!p1 bra DONE;
                mov.u32 r3, 0; mov.u32 r4, 0;
                NEXT: mad.wide.u32 rd1, r4, 4, a0; ld.global.u32 r5, [rd1]; add.u32 r3, r3, r5;
                add.u32 r4, r4, 1; setp.lt.u32 p2, r4, r10; @p2 bra NEXT;
                st.global.u32 [a2], r3;
                DONE:
                """.formatted(release, acquire);
    }

    @ParameterizedTest
    @EnumSource(Blocks.class)
    void theLastBlockMayReadWhatTheOthersReleased(Blocks order) {
        int blocks = 17;
        Bench bench = bench(order).grid(blocks);
        long parts = bench.output(4 * blocks);
        long counter = bench.ints(0);
        long sum = bench.output(4);
        for (int i = 0; i < 2; i++) {
            bench.run(lastBlock("membar.gl;", "membar.gl;"), parts, counter, sum);
            assertThat(bench.readInts(sum, 1)).containsExactly(100 * blocks + blocks * (blocks - 1) / 2);
        }
        bench.run(lastBlock("fence.acq_rel.gpu;", "fence.acq_rel.gpu;"), parts, counter, sum);
        bench.run(lastBlock("", "").replace("atom.global", "atom.acq_rel.gpu.global"), parts, counter, sum);
    }

    @Test
    void countingAloneOrdersNothing() {
        Bench bench = new Bench().grid(3);
        long parts = bench.output(12);
        long counter = bench.ints(0);
        long sum = bench.output(4);
        bench.fault(RACE, lastBlock("", "membar.gl;"), parts, counter, sum);
        bench.emulator.fill(counter, 4, (byte) 0);
        bench.fault(RACE, lastBlock("membar.gl;", ""), parts, counter, sum);
    }

    @Test
    void barriersSpreadWhatOneThreadAcquired() {
        // All threads of the last block add up, after thread 0 has found out that it is the last.
        String text = """
                mov.u32 r0, %%ctaid.x; mad.lo.u32 r1, r0, 64, tid; mad.wide.u32 rd0, r1, 4, a0; st.global.u32 [rd0], r1;
                bar.sync 0; setp.eq.u32 p0, tid, 0; mov.u32 r2, 0;
                @p0 membar.gl;
                @p0 atom.global.add.u32 r2, [a1], 1;
                @p0 membar.gl;
                @p0 st.shared.u32 [dyn], r2;
                %s
                ld.shared.u32 r3, [dyn]; setp.ne.u32 p1, r3, 2; @p1 bra DONE;
                ld.global.u32 r4, [rd0]; mad.wide.u32 rd1, tid, 4, a0; ld.global.u32 r5, [rd1]; ld.global.u32 r6, [rd1+256];
                DONE:
                """;
        Bench bench = new Bench().grid(3).block(64);
        long parts = bench.output(4 * 64 * 3);
        bench.run(text.formatted("bar.sync 0;"), parts, bench.ints(0));
    }

    @Test
    void atomicsOfAllBlocksMayMeet() {
        Bench bench = new Bench().grid(5).block(64);
        long memory = bench.ints(0);
        bench.run("red.global.add.u32 [a0], 1; ld.relaxed.gpu.global.u32 r0, [a0];", memory);
        assertThat(bench.readInts(memory, 1)).containsExactly(320);
        bench.fault(
                RACE,
                "red.global.add.u32 [a0], 1; mov.u32 r0, %ctaid.x; setp.eq.u32 p0, r0, 4;"
                        + "@p0 ld.global.u32 r0, [a0];",
                memory);
    }
}
