package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.ASYNC_COPY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.BARRIER;
import static org.quern.ptx.emulator.EmulatorFault.Kind.DEADLOCK;
import static org.quern.ptx.emulator.EmulatorFault.Kind.MISALIGNED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;
import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.gpu.TensorMap;
import org.quern.gpu.TensorMap.Element;
import org.quern.gpu.TensorMap.Swizzle;
import org.quern.ptx.emulator.Options.Copies;
import org.quern.ptx.emulator.Options.Device;

class BulkCopyTest {
    /// r0 = an mbarrier, r1 = 1 kB behind it, r2 = the thread's 16 bytes there.
    private static final String BEGIN = """
            mov.u32 r0, dyn; add.u32 r1, r0, 1024; mad.lo.u32 r2, tid, 16, r1; setp.eq.u32 p0, tid, 0;
            @p0 mbarrier.init.shared::cta.b64 [r0], 1; @p0 fence.mbarrier_init.release.cluster; bar.sync 0;
            """;

    private static final String EXPECT = "@p0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [r0], 1024;\n";
    private static final String LOAD =
            "@p0 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [r1], [a0], 1024, [r0];\n";
    private static final String WAIT = "W: mbarrier.try_wait.parity.shared::cta.b64 p7, [r0], 0; @!p7 bra W;\n";
    private static final String OUT = "mad.wide.u32 rd0, tid, 16, a1; ld.shared.v4.u32 {r4, r5, r6, r7}, [r2];"
            + "st.global.v4.u32 [rd0], {r4, r5, r6, r7};\n";

    private static Bench bench(Copies copies) {
        return new Bench(Options.DEFAULT
                        .withDevice(Device.SM_90)
                        .withCopies(copies)
                        .withSeed(3))
                .block(64)
                .shared(16_384);
    }

    private static int[] numbers(int count) {
        return IntStream.range(0, count).map(i -> i * 0x10001 + 7).toArray();
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void linesArriveWhenTheirPhaseEnds(Copies copies) {
        Bench bench = bench(copies);
        long in = bench.ints(numbers(256));
        long out = bench.output(1024);
        bench.run(BEGIN + EXPECT + LOAD + WAIT + OUT, in, out);
        assertThat(bench.readInts(out, 256)).isEqualTo(numbers(256));
        // The bytes may be announced after the copy.
        bench.run(BEGIN + LOAD + EXPECT + WAIT + OUT, in, out);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void everyPartOfTheProtocolIsNeeded(Copies copies) {
        Bench bench = bench(copies);
        long in = bench.ints(numbers(256));
        long out = bench.output(1024);
        assertThat(bench.fault(ASYNC_COPY, BEGIN + EXPECT + LOAD + "bar.sync 0;" + OUT + WAIT, in, out))
                .hasMessageContaining("reads shared memory at 0x");
        bench.fault(ASYNC_COPY, BEGIN + EXPECT + LOAD + "bar.sync 0; st.shared.u32 [r2], tid;" + WAIT, in, out);
        assertThat(bench.fault(ASYNC_COPY, BEGIN + EXPECT + LOAD, in, out))
                .hasMessageContaining("the block ends, and nobody has waited for the copy of");
        assertThat(bench.fault(
                        ASYNC_COPY,
                        BEGIN.replace("@p0 fence.mbarrier_init.release.cluster;", "") + EXPECT + LOAD + WAIT,
                        in,
                        out))
                .hasMessageContaining("executed neither fence.mbarrier_init nor fence.proxy.async");
        bench.fault(ASYNC_COPY, BEGIN.replace("@p0 fence", "@!p0 fence") + EXPECT + LOAD + WAIT, in, out);
        bench.run(BEGIN.replace("mbarrier_init.release.cluster", "proxy.async") + EXPECT + LOAD + WAIT + OUT, in, out);
        bench.fault(DEADLOCK, BEGIN + EXPECT.replace("1024", "1040") + LOAD + WAIT, in, out);
        bench.fault(BARRIER, BEGIN + EXPECT.replace("1024", "1008") + LOAD + WAIT, in, out);
        // Warp 1 does not wait for the phase, nor for anybody who has.
        bench.fault(
                ASYNC_COPY,
                BEGIN + EXPECT + LOAD + "bar.sync 0; setp.lt.u32 p1, tid, 32; @p1 bra L;" + WAIT + "L:" + OUT,
                in,
                out);
        bench.run(
                BEGIN + EXPECT + LOAD + "setp.ge.u32 p1, tid, 32; @p1 bra L;" + WAIT + "L: bar.sync 0;" + OUT, in, out);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void whatIsOverwrittenIsReadBefore(Copies copies) {
        Bench bench = bench(copies);
        long in = bench.ints(numbers(256));
        long out = bench.output(1024);
        String again = EXPECT + LOAD + WAIT.replace('W', 'V').replace("[r0], 0", "[r0], 1") + OUT;
        bench.run(BEGIN + EXPECT + LOAD + WAIT + OUT + "bar.sync 0;" + again, in, out);
        bench.fault(RACE, BEGIN + EXPECT + LOAD + WAIT + OUT + again, in, out);
        // What threads wrote is fenced first.
        String write = BEGIN + "st.shared.v4.u32 [r2], {r0, r0, r0, r0};";
        bench.run(write + "fence.proxy.async.shared::cta; bar.sync 0;" + EXPECT + LOAD + WAIT + OUT, in, out);
        assertThat(bench.fault(RACE, write + "bar.sync 0;" + EXPECT + LOAD + WAIT, in, out))
                .hasMessageContaining("fence.proxy.async is missing");
        // Before the barrier or after it, but then by the warp that copies.
        String late = write + "bar.sync 0; setp.lt.u32 p1, tid, 32; @p1 fence.proxy.async.shared::cta;";
        bench.run(late + EXPECT + LOAD + WAIT + OUT, in, out);
        bench.fault(RACE, late.replace("@p1", "@!p1") + EXPECT + LOAD + WAIT, in, out);
        bench.fault(RACE, write + "fence.proxy.async.shared::cta;" + EXPECT + LOAD + WAIT, in, out);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void linesAreStored(Copies copies) {
        Bench bench = bench(copies);
        long in = bench.ints(numbers(256));
        long out = bench.output(1024);
        String fill = "mov.u32 r1, dyn; mad.lo.u32 r2, tid, 16, r1; mad.wide.u32 rd0, tid, 16, a0;"
                + "setp.eq.u32 p0, tid, 0; ld.global.v4.u32 {r4, r5, r6, r7}, [rd0];"
                + "st.shared.v4.u32 [r2], {r4, r5, r6, r7};\n";
        String order = "fence.proxy.async.shared::cta; bar.sync 0;\n";
        String store = "@p0 cp.async.bulk.global.shared::cta.bulk_group [a1], [r1], 1024;\n";
        String commit = "@p0 cp.async.bulk.commit_group;\n";
        String read = "@p0 cp.async.bulk.wait_group.read 0;\n";
        bench.run(fill + order + store + commit + read, in, out);
        assertThat(bench.readInts(out, 256)).isEqualTo(numbers(256));
        bench.fault(ASYNC_COPY, fill + order + store + commit, in, out);
        bench.fault(ASYNC_COPY, fill + order + store + read, in, out);
        bench.fault(ASYNC_COPY, fill + order + store + commit + read.replace("0;", "1;"), in, out);
        bench.fault(RACE, fill + order.replace("fence.proxy.async.shared::cta;", "") + store + commit + read, in, out);
        bench.fault(RACE, fill + order.replace("bar.sync 0;", "") + store + commit + read, in, out);
        bench.fault(RACE, fill + order.replace("shared::cta", "global") + store + commit + read, in, out);
        // The source is free after the wait and a barrier.
        bench.run(fill + order + store + commit + read + "bar.sync 0;" + fill, in, out);
        assertThat(bench.fault(ASYNC_COPY, fill + order + store + commit + "bar.sync 0;" + fill + read, in, out))
                .hasMessageContaining("may still be reading it");
        bench.fault(RACE, fill + order + store + commit + read + fill, in, out);
        // Sums.
        String add = store.replace("cp.async", "cp.reduce.async").replace("bulk_group", "bulk_group.add.f32");
        float[] ones = new float[256];
        java.util.Arrays.fill(ones, 1.5f);
        long sums = bench.floats(ones);
        long numbers = bench.floats(ones);
        bench.run(fill + order + add + commit + read, numbers, sums);
        assertThat(bench.readFloats(sums, 256)).containsOnly(3f);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void globalMemoryHasItsOwnFences(Copies copies) {
        Bench bench = bench(copies);
        long memory = bench.output(1024);
        long out = bench.output(1024);
        String write = "mad.wide.u32 rd2, tid, 16, a0; st.global.v4.u32 [rd2], {tid, tid, tid, tid};"
                + "fence.proxy.async%s; bar.sync 0;\n";
        bench.run(BEGIN + write.formatted(".global") + EXPECT + LOAD + WAIT + OUT, memory, out);
        bench.run(BEGIN + write.formatted("") + EXPECT + LOAD + WAIT + OUT, memory, out);
        assertThat(bench.fault(RACE, BEGIN + write.formatted(".shared::cta") + EXPECT + LOAD + WAIT + OUT, memory, out))
                .hasMessageContaining("fence.proxy.async is missing, or for other memory");
    }

    private static long map(Bench bench, TensorMap map) {
        MemorySegment bytes = Arena.ofAuto().allocate(TensorMap.BYTES, 64);
        TensorMaps.encode(map, bytes);
        long address = bench.emulator.allocate(TensorMap.BYTES);
        bench.emulator.write(address, bytes);
        return address;
    }

    /// Where 16-byte piece `piece` of row `row` lies in a box whose rows are `span` bytes.
    private static int expected(int row, int piece, int span) {
        return switch (span) {
            case 128 -> row * 8 + (piece ^ row % 8);
            case 64 -> row * 4 + (piece ^ row / 2 % 4);
            case 32 -> row * 2 + (piece ^ row / 4 % 2);
            default -> throw new IllegalArgumentException();
        };
    }

    @ParameterizedTest
    @CsvSource({"128, BYTES_128", "64, BYTES_64", "32, BYTES_32", "64, NONE"})
    void boxesAreSwizzled(int span, Swizzle swizzle) {
        // A box of 16 rows at (3, 2) of a tensor of 20 x 20 elements in rows of 100: row 18 and columns from 20 on, and
        // what is before, are zeros.
        for (int startRow : new int[] {2, 9, -3}) {
            for (int startColumn : new int[] {0, 3, 8, 11, -2}) {
                Bench bench = bench(Copies.LAZY);
                int columns = span / 2;
                short[] elements = new short[20 * 104];
                for (int i = 0; i < elements.length; i++) {
                    elements[i] = (short) (i + 1);
                }
                long in = bench.shorts(elements);
                long out = bench.output(16L * span);
                long map = map(
                        bench,
                        new TensorMap(
                                Element.BFLOAT16, in, List.of(20L, 20L), List.of(208L), List.of(columns, 16), swizzle));
                int bytes = 16 * span;
                bench.run("""
                        mov.u32 r0, dyn; add.u32 r1, r0, 1024; setp.eq.u32 p0, tid, 0;
                        @p0 mbarrier.init.shared::cta.b64 [r0], 1; @p0 fence.mbarrier_init.release.cluster; bar.sync 0;
                        @p0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [r0], %d;
                        @p0 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes
                            [r1], [a0, {%d, %d}], [r0];
                        W: mbarrier.try_wait.parity.shared::cta.b64 p7, [r0], 0; @!p7 bra W;
                        mov.u32 r8, tid;
                        L: mad.lo.u32 r2, r8, 4, r1; mad.wide.u32 rd0, r8, 4, a1; ld.shared.u32 r4, [r2];
                        st.global.u32 [rd0], r4; add.u32 r8, r8, 64; setp.lt.u32 p1, r8, %d; @p1 bra L;
                        """.formatted(bytes, startColumn, startRow, bytes / 4), map, out);
                int[] words = bench.readInts(out, bytes / 4);
                for (int row = 0; row < 16; row++) {
                    for (int column = 0; column < columns; column++) {
                        int y = startRow + row;
                        int x = startColumn + column;
                        int element = y < 0 || y >= 20 || x < 0 || x >= 20 ? 0 : elements[y * 104 + x] & 0xffff;
                        int piece = swizzle == Swizzle.NONE
                                ? row * span / 16 + column / 8
                                : expected(row, column / 8, span);
                        int found = words[piece * 4 + column % 8 / 2] >>> 16 * (column & 1) & 0xffff;
                        assertThat(found)
                                .as("row %d, column %d from (%d, %d)", row, column, startRow, startColumn)
                                .isEqualTo(element);
                    }
                }
            }
        }
    }

    /// Of 16 rows at several places of a tensor of 20 x 20 elements in rows of 208 bytes, two planes of them:
    /// what is outside stays as it was.
    @ParameterizedTest
    @CsvSource({"128, BYTES_128", "64, BYTES_64", "32, BYTES_32", "64, NONE"})
    void swizzledBoxesAreStored(int span, Swizzle swizzle) {
        int columns = span / 2;
        for (int startRow : new int[] {2, 9, -3}) {
            for (int startColumn : new int[] {0, 3, 11, -2}) {
                Bench bench = bench(Copies.LAZY);
                short[] box = new short[16 * columns];
                for (int row = 0; row < 16; row++) {
                    for (int column = 0; column < columns; column++) {
                        int piece = swizzle == Swizzle.NONE
                                ? row * span / 16 + column / 8
                                : expected(row, column / 8, span);
                        box[piece * 8 + column % 8] = (short) (1 + row * columns + column);
                    }
                }
                long in = bench.shorts(box);
                long out = bench.shorts(new short[2 * 20 * 104]);
                long map = map(
                        bench,
                        new TensorMap(
                                Element.BFLOAT16,
                                out,
                                List.of(20L, 20L, 2L),
                                List.of(208L, 20L * 208),
                                List.of(columns, 16, 1),
                                swizzle));
                bench.run("""
                        mov.u32 r0, dyn; add.u32 r0, r0, 1024; mov.u32 r8, tid; setp.eq.u32 p0, tid, 0;
                        L: mad.lo.u32 r2, r8, 4, r0; mad.wide.u32 rd0, r8, 4, a0; ld.global.u32 r4, [rd0];
                        st.shared.u32 [r2], r4; add.u32 r8, r8, 64; setp.lt.u32 p1, r8, %d; @p1 bra L;
                        fence.proxy.async.shared::cta; bar.sync 0;
                        @p0 cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [a1, {%d, %d, 1}], [r0];
                        @p0 cp.async.bulk.commit_group; @p0 cp.async.bulk.wait_group.read 0;
                        """.formatted(16 * span / 4, startColumn, startRow), in, map);
                int[] words = bench.readInts(out, 2 * 20 * 52);
                for (int i = 0; i < 2 * 20 * 104; i++) {
                    int column = i % 104 - startColumn;
                    int row = i / 104 % 20 - startRow;
                    boolean stored =
                            i >= 20 * 104 && i % 104 < 20 && column >= 0 && column < columns && row >= 0 && row < 16;
                    assertThat(words[i / 2] >>> 16 * (i & 1) & 0xffff)
                            .as("element %d from (%d, %d)", i, startRow, startColumn)
                            .isEqualTo(stored ? 1 + row * columns + column : 0);
                }
            }
        }
    }

    /// Who has waited for a copy, or for somebody who has, may write where it came from.
    @ParameterizedTest
    @EnumSource(Copies.class)
    void whatIsLoadedIsReadBeforeItIsOverwritten(Copies copies) {
        Bench bench = bench(copies);
        long in = bench.ints(numbers(256));
        long out = bench.output(1024);
        String overwrite = "mad.wide.u32 rd0, tid, 16, a0; st.global.v4.u32 [rd0], {r0, r0, r0, r0};";
        bench.run(BEGIN + EXPECT + LOAD + WAIT + overwrite, in, out);
        String narrow = "mad.wide.u32 rd0, tid, 16, a0; cvt.u16.u32 h0, tid; st.global.u16 [rd0+2], h0;";
        bench.run(BEGIN + EXPECT + LOAD + WAIT + narrow, in, out);
        String oneWaits = "setp.ge.u32 p1, tid, 32; @p1 bra L;" + WAIT + "L: ";
        bench.run(BEGIN + EXPECT + LOAD + oneWaits + "bar.sync 0;" + overwrite, in, out);
        assertThat(bench.fault(RACE, BEGIN + EXPECT + LOAD + oneWaits + overwrite, in, out))
                .hasMessageContaining("nothing orders the two");
        bench.fault(RACE, BEGIN + EXPECT + LOAD + "bar.sync 0;" + overwrite + WAIT, in, out);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void boxesComeBackWhereTheyWere(Copies copies) {
        // Three dimensions, loaded and stored through the same map at an edge: what is outside stays as it was.
        Bench bench = bench(copies);
        int[] numbers = numbers(8 * 6 * 5);
        long in = bench.ints(numbers);
        long out = bench.ints(new int[8 * 6 * 5]);
        String body = """
                mov.u32 r0, dyn; add.u32 r1, r0, 1024; setp.eq.u32 p0, tid, 0; mov.u32 r3, 2;
                @p0 mbarrier.init.shared::cta.b64 [r0], 1; @p0 fence.proxy.async; bar.sync 0; @!p0 bra END;
                mbarrier.arrive.expect_tx.shared::cta.b64 _, [r0], 192;
                cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes
                    [r1], [a0, {4, r3, 3}], [r0];
                W: mbarrier.try_wait.parity.shared::cta.b64 p7, [r0], 0; @!p7 bra W;
                cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group [a1, {4, r3, 3}], [r1];
                cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;
                END:
                """;
        List<Long> sizes = List.of(7L, 6L, 5L);
        List<Long> strides = List.of(32L, 192L);
        long source = map(bench, new TensorMap(Element.UINT32, in, sizes, strides, List.of(8, 2, 3), Swizzle.NONE));
        long target = map(bench, new TensorMap(Element.UINT32, out, sizes, strides, List.of(8, 2, 3), Swizzle.NONE));
        bench.run(body, source, target);
        int[] found = bench.readInts(out, numbers.length);
        for (int z = 0; z < 5; z++) {
            for (int y = 0; y < 6; y++) {
                for (int x = 0; x < 8; x++) {
                    int at = (z * 6 + y) * 8 + x;
                    boolean inside = x >= 4 && x < 7 && (y == 2 || y == 3) && z >= 3;
                    assertThat(found[at]).as("%d %d %d", x, y, z).isEqualTo(inside ? numbers[at] : 0);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void wrongCopiesAreNamed(Copies copies) {
        Bench bench = bench(copies);
        long in = bench.ints(numbers(256));
        bench.fault(MISALIGNED, BEGIN + EXPECT + LOAD.replace("[a0]", "[a0+8]"), in);
        bench.fault(TRAP, BEGIN + EXPECT + LOAD.replace("1024", "1032"), in);
        bench.fault(OUT_OF_BOUNDS, BEGIN + EXPECT + LOAD.replace("[a0]", "[a0+16]") + WAIT, in);
        bench.fault(OUT_OF_BOUNDS, BEGIN + EXPECT + LOAD.replace("[r1]", "[r1+15360]") + WAIT, in);
        String box = BEGIN + EXPECT
                + "@p0 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [r1], [a0, {0, 0}], [r0];";
        assertThat(bench.fault(TRAP, box, in)).hasMessageContaining("no tensor map");
        long map = map(bench, new TensorMap(Element.UINT32, in, List.of(256L), List.of(), List.of(256), Swizzle.NONE));
        assertThat(bench.fault(TRAP, box, map)).hasMessageContaining("the tensor has 1 dimensions");
        bench.fault(
                MISALIGNED, box.replace("[r1]", "[r1+16]").replace("2d", "1d").replace("{0, 0}", "{0}"), map);
        assertThat(bench.fault(UNSUPPORTED, box.replace("{0, 0}", "{0}"), map))
                .hasMessageContaining("has 1 coordinates");
    }
}
