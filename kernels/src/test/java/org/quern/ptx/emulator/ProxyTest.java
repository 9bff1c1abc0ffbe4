package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;

import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.ptx.emulator.Options.Blocks;
import org.quern.ptx.emulator.Options.Copies;
import org.quern.ptx.emulator.Options.Device;

/// Proxy fences on either side of a flag that one thread sets and another one waits for.
class ProxyTest {
    private static final String FENCE = "fence.proxy.async;\n";

    private static Bench bench(Copies copies) {
        return new Bench(Options.DEFAULT
                        .withDevice(Device.SM_90)
                        .withCopies(copies)
                        .withBlocks(Blocks.ASCENDING))
                .block(64);
    }

    /// Warp 0 writes 128 bytes, and a thread of warp 1 copies them to a0.
    private static String inBlock(String writer, String reader) {
        return """
                mov.u32 r0, dyn; setp.eq.u32 p0, tid, 0; mad.lo.u32 r1, tid, 4, r0; mad.lo.u32 r2, tid, 7, 3;
                @p0 st.shared.u32 [r0], 0; bar.sync 0; setp.ge.u32 p1, tid, 32; @p1 bra READER;
                st.shared.u32 [r1+128], r2; %sbar.warp.sync -1; @p0 st.release.cta.shared.u32 [r0], 1; bra END;
                READER: setp.ne.u32 p1, tid, 32; @p1 bra END;
                WAIT: ld.acquire.cta.shared.u32 r3, [r0]; setp.eq.u32 p1, r3, 0; @p1 bra WAIT;
                %scp.async.bulk.global.shared::cta.bulk_group [a0], [r0+128], 128;
                cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;
                END:
                """.formatted(writer, reader);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void flagsOfABlockTellOfFences(Copies copies) {
        Bench bench = bench(copies);
        long out = bench.output(128);
        bench.run(inBlock(FENCE, ""), out);
        assertThat(bench.readInts(out, 32))
                .isEqualTo(IntStream.range(0, 32).map(i -> 7 * i + 3).toArray());
        bench.run(inBlock("", FENCE), out);
        bench.fault(RACE, inBlock("", ""), out);
        // A fence before the write, or for other memory, is none.
        bench.fault(RACE, FENCE + inBlock("", ""), out);
        bench.fault(RACE, inBlock("fence.proxy.async.global;", "fence.proxy.async.global;"), out);
    }

    /// Block 0 writes a0, and block 1 copies it to a1 through its shared memory.
    private static String betweenBlocks(String writer, String reader) {
        return """
                mov.u32 r0, dyn; setp.eq.u32 p0, tid, 0; mov.u32 r4, %%ctaid.x; setp.ne.u32 p1, r4, 0; @p1 bra READER;
                mad.wide.u32 rd0, tid, 4, a0; mad.lo.u32 r2, tid, 7, 3; st.global.u32 [rd0], r2; %sbar.sync 0;
                @p0 st.release.gpu.global.u32 [a2], 1; bra END;
                READER: @!p0 bra END;
                mbarrier.init.shared::cta.b64 [r0], 1; fence.mbarrier_init.release.cluster;
                SPIN: ld.acquire.gpu.global.u32 r3, [a2]; setp.eq.u32 p1, r3, 0; @p1 bra SPIN;
                %smbarrier.arrive.expect_tx.shared::cta.b64 _, [r0], 256;
                cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [r0+128], [a0], 256, [r0];
                WAIT: mbarrier.try_wait.parity.shared::cta.b64 p7, [r0], 0; @!p7 bra WAIT;
                cp.async.bulk.global.shared::cta.bulk_group [a1], [r0+128], 256;
                cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;
                END:
                """.formatted(writer, reader);
    }

    @ParameterizedTest
    @EnumSource(Copies.class)
    void flagsOfTheGridTellOfFences(Copies copies) {
        Bench bench = bench(copies).grid(2);
        long memory = bench.output(256);
        long out = bench.output(256);
        bench.run(betweenBlocks(FENCE, ""), memory, out, bench.ints(0));
        assertThat(bench.readInts(out, 64))
                .isEqualTo(IntStream.range(0, 64).map(i -> 7 * i + 3).toArray());
        bench.run(betweenBlocks("", "fence.proxy.async.global;\n"), memory, out, bench.ints(0));
        assertThat(bench.fault(RACE, betweenBlocks("", ""), memory, out, bench.ints(0)))
                .hasMessageContaining("which another block of this launch wrote through the generic proxy");
        bench.fault(RACE, betweenBlocks("", "fence.proxy.async.shared::cta;\n"), memory, out, bench.ints(0));
        // What was fenced before the flag was seen is not what the flag tells of.
        bench.fault(
                RACE, betweenBlocks("", "").replace("SPIN:", "fence.proxy.async;\nSPIN:"), memory, out, bench.ints(0));
    }
}
