package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.quern.ptx.emulator.EmulatorFault.Kind.LAUNCH;
import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.emulator.Options.Blocks;
import org.quern.ptx.emulator.Options.Device;
import org.quern.ptx.emulator.Options.Schedule;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxParser;

class LaunchTest {
    private final Bench bench = new Bench();

    @Test
    void keepsTheLimitsOfTheDevice() {
        assertThat(bench.block(1025).fault(LAUNCH, "")).hasMessageContaining("a block may have 1,024 threads");
        assertThat(bench.block(new Dim(1, 1, 65)).fault(LAUNCH, "")).hasMessageContaining("got 1 x 1 x 65");
        assertThat(bench.block(32).shared(166_913).fault(LAUNCH, ""))
                .hasMessageContaining("a block may have 166,912 bytes of shared memory: got 166,913");
        assertThat(bench.declare(".shared .b8 more[1024];").shared(165_889).fault(LAUNCH, ""))
                .hasMessageContaining("of which the kernel's variables take 1,024");
        bench.declare("").shared(166_912).run("");
        Bench hopper = new Bench(Options.DEFAULT.withDevice(Device.SM_90));
        hopper.block(1).shared(232_448).run("st.shared.u8 [dyn+232447], tid;");
        hopper.shared(232_449).fault(LAUNCH, "");
    }

    @Test
    void keepsTheEntrysDirectives() {
        bench.directives(".maxntid 64, 2, 1").block(128).run("");
        assertThat(bench.block(129).fault(LAUNCH, "")).hasMessageContaining(".maxntid allows 128 threads: got 129");
        assertThat(bench.directives(".reqntid 64").block(32).fault(LAUNCH, ""))
                .hasMessageContaining(".reqntid wants 64");
    }

    @Test
    void gridsAreLimitedInYAndZ() {
        PtxModule module = PtxParser.parse(Bench.module("", "", "", 0));
        assertThatThrownBy(() -> bench.emulator.launch(
                        module,
                        module.entries().getFirst(),
                        new LaunchConfiguration(new Dim(1, 65_536, 1), Dim.of(1), 0),
                        MemorySegment.ofArray(new long[0])))
                .hasMessageContaining("65,535 blocks in y and z");
    }

    @Test
    void missingArgumentsAreRefused() {
        PtxModule module = PtxParser.parse(Bench.module("", "", "", 3));
        assertThatThrownBy(() -> bench.emulator.launch(
                        module,
                        module.entries().getFirst(),
                        new LaunchConfiguration(Dim.of(1), Dim.of(1), 0),
                        MemorySegment.ofArray(new long[2])))
                .hasMessageContaining("the parameters take 24 bytes: got 16");
    }

    @Test
    void newerCodeNeedsANewerDevice() {
        PtxModule module = PtxParser.parse(Bench.module("", "", "", 0).replace("sm_80", "sm_90"));
        assertThatThrownBy(() -> bench.emulator.load(module)).hasMessageContaining("the device is an sm_80");
        new Emulator(Options.DEFAULT.withDevice(Device.SM_90)).load(module);
    }

    @Test
    void unloadedModulesLoseTheirVariables() {
        PtxModule module = PtxParser.parse(Bench.module(".global .u32 x[10];", "", "", 0));
        bench.emulator.load(module);
        assertThat(bench.emulator.allocatedBytes()).isEqualTo(40);
        bench.emulator.unload(module);
        assertThat(bench.emulator.allocatedBytes()).isZero();
    }

    @Test
    void allParametersArrive() {
        PtxModule module = PtxParser.parse("""
                .version 8.0
                .target sm_80
                .address_size 64
                .visible .entry k(.param .u64 out, .param .u32 a, .param .f32 b, .param .align 8 .b8 c[16], .param .u16 d)
                {
                .reg .b32 r<8>; .reg .b64 rd<4>; .reg .b16 h<2>;
                ld.param.u64 rd0, [out]; ld.param.u32 r0, [a]; ld.param.u32 r1, [b]; ld.param.v2.u32 {r2, r3}, [c+8];
                ld.param.u16 h0, [d]; st.global.v4.u32 [rd0], {r0, r1, r2, r3}; st.global.u16 [rd0+16], h0;
                }
                """);
        long out = bench.output(18);
        MemorySegment arguments = MemorySegment.ofArray(new int[] {(int) out, (int) (out >>> 32), 7, 8, 1, 2, 3, 4, 9});
        bench.emulator.launch(
                module, module.entries().getFirst(), new LaunchConfiguration(Dim.of(1), Dim.of(1), 0), arguments);
        assertThat(bench.readInts(out, 4)).containsExactly(7, 8, 3, 4);
    }

    @ParameterizedTest
    @EnumSource(Blocks.class)
    void everyBlockRunsOnce(Blocks order) {
        for (long blocks : new long[] {1, 2, 7, 64, 1000}) {
            BlockOrder all = new BlockOrder(order, blocks, new SplittableRandom(blocks));
            Set<Long> seen = new HashSet<>();
            for (long i = 0; i < blocks; i++) {
                seen.add(all.at(i));
            }
            assertThat(seen).hasSize((int) blocks).allMatch(b -> b >= 0 && b < blocks);
        }
    }

    /// A log of who came when: the order in which warps add their number to a list.
    private int[] log(Options options) {
        Bench logged = new Bench(options).grid(2).block(128);
        long list = logged.ints(new int[65]);
        logged.run("""
                mov.u32 r1, %warpid; mov.u32 r2, %ctaid.x; mad.lo.u32 r1, r2, 10, r1; mov.u32 r10, 0; and.b32 r3, tid, 31;
                setp.ne.u32 p0, r3, 0; @p0 exit;
                LOOP: atom.global.add.u32 r4, [a0], 1; mad.wide.u32 rd0, r4, 4, a0; st.global.u32 [rd0+4], r1;
                add.u32 r10, r10, 1; setp.lt.u32 p1, r10, 8; @p1 bra LOOP;
                """, list);
        return logged.readInts(list, 65);
    }

    @Test
    void seedsDecideTheScheduleAndNothingElseDoes() {
        for (Schedule schedule : Schedule.values()) {
            Options options = Options.DEFAULT.withSchedule(schedule).withBlocks(Blocks.SHUFFLED);
            assertThat(log(options.withSeed(5))).isEqualTo(log(options.withSeed(5)));
        }
        Options random = Options.DEFAULT.withSchedule(Schedule.RANDOM);
        assertThat(log(random.withSeed(1))).isNotEqualTo(log(random.withSeed(2)));
        assertThat(log(Options.DEFAULT))
                .isEqualTo(IntStream.concat(
                                IntStream.of(64), IntStream.range(0, 64).map(i -> i / 32 * 10 + i % 32 / 8))
                        .toArray());
        assertThat(log(Options.DEFAULT.withBlocks(Blocks.DESCENDING))[1]).isEqualTo(10);
    }

    @Test
    void aStarvedWarpComesLast() {
        Set<Integer> last = new HashSet<>();
        for (int seed = 0; seed < 20; seed++) {
            int[] order = log(Options.DEFAULT.withSchedule(Schedule.ADVERSARIAL).withSeed(seed));
            last.add(order[32]);
            assertThat(Arrays.stream(order, 25, 33).distinct()).hasSize(1);
        }
        assertThat(last).hasSizeGreaterThan(1);
    }

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void warpsThatSpinWaitForWarpsThatWork(Schedule schedule) {
        // Every warp waits for the one after it.
        Bench chain = new Bench(Options.DEFAULT.withSchedule(schedule).withSeed(4)).block(256);
        long flags = chain.ints(0, 0, 0, 0, 0, 0, 0, 0, 1);
        chain.run("""
                mov.u32 r0, %warpid; mad.wide.u32 rd0, r0, 4, a0;
                WAIT: ld.acquire.gpu.global.u32 r1, [rd0+4]; setp.eq.u32 p0, r1, 0; @p0 bra WAIT;
                mov.u32 r1, 1; st.release.gpu.global.u32 [rd0], r1;
                """, flags);
        assertThat(chain.readInts(flags, 9)).containsOnly(1);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 256, 257, 100_000})
    void addressesAreAlignedAndApart(long bytes) {
        long first = bench.output(bytes);
        long second = bench.output(bytes);
        assertThat(first % 256).isZero();
        assertThat(first).isGreaterThan(1L << 32);
        assertThat(second - first).isGreaterThanOrEqualTo(bytes + 65_536);
        bench.fault(OUT_OF_BOUNDS, "ld.global.u8 r0, [a0+%d];".formatted(bytes), first);
    }
}
