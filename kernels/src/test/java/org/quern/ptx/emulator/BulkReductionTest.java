package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.TRAP;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.gpu.TensorMap;
import org.quern.gpu.TensorMap.Element;
import org.quern.gpu.TensorMap.Swizzle;
import org.quern.ptx.emulator.Options.Copies;
import org.quern.ptx.emulator.Options.Device;

/// What `cp.reduce.async.bulk` makes of global memory.
class BulkReductionTest {
    /// r1 = 16 bytes that a0 has, too.
    private static final String BEGIN = """
            mov.u32 r1, dyn; ld.global.v4.u32 {r4, r5, r6, r7}, [a0]; st.shared.v4.u32 [r1], {r4, r5, r6, r7};
            fence.proxy.async.shared::cta; bar.warp.sync -1; setp.eq.u32 p0, tid, 0;
            """;
    private static final String END = "@p0 cp.async.bulk.commit_group; @p0 cp.async.bulk.wait_group 0;";
    private static final String TENSOR =
            "@p0 cp.reduce.async.bulk.tensor.1d.global.shared::cta.%s.tile.bulk_group [a1, {0}], [r1];";

    private static Bench bench(Copies copies) {
        return new Bench(Options.DEFAULT.withDevice(Device.SM_90).withCopies(copies));
    }

    /// Two words of what there is, two words of what comes, and what becomes of them.
    @ParameterizedTest
    @CsvSource({
        "add.u32, 7, FFFFFFFF, 5, 2, C, 1",
        "add.s32, 7, FFFFFFFF, 5, 2, C, 1",
        "add.u64, FFFFFFFF, 7, 1, 1, 0, 9",
        "add.f32, 3F800000, 40000000, 3F800000, C0000000, 40000000, 0",
        "add.f64, 0, 3FF00000, 0, 3FF00000, 0, 40000000",
        "add.noftz.bf16, 3F803F80, 4000BF80, 40003F80, 3F803F80, 40404000, 40400000",
        "add.noftz.f16, 3C003C00, 4000BC00, 40003C00, 3C003C00, 42004000, 42000000",
        "min.u32, 7, FFFFFFFF, 5, 2, 5, 2",
        "min.s32, 7, FFFFFFFF, 5, 2, 5, FFFFFFFF",
        "max.u32, 7, FFFFFFFF, 5, 2, 7, FFFFFFFF",
        "max.s32, 7, FFFFFFFF, 5, 2, 7, 2",
        "min.u64, 7, 1, 9, FFFFFFFF, 7, 1",
        "max.s64, 7, 1, 9, FFFFFFFF, 7, 1",
        "min.bf16, 3F80BF80, 7FC03F80, 40007FC0, 3F80C000, 3F80BF80, 3F80C000",
        "max.f16, 3C00BC00, 7E003C00, 40007E00, 3C00C000, 4000BC00, 3C003C00",
        "inc.u32, 7, 9, 9, 9, 8, 0",
        "dec.u32, 7, 0, 9, 9, 6, 9",
        "and.b32, FF00FF, F, F0F0F0, 6, F000F0, 6",
        "or.b64, FF00FF, F, F0F0F0, 30, FFF0FF, 3F",
        "xor.b64, FF00FF, F, F0F0F0, 6, FF00F, 9",
    })
    void linesAreCombined(String operation, String a, String b, String c, String d, String low, String high) {
        for (Copies copies : Copies.values()) {
            Bench bench = bench(copies);
            long in = bench.ints(bits(c), bits(d), bits(c), bits(d));
            long out = bench.ints(bits(a), bits(b), bits(a), bits(b));
            bench.run(
                    BEGIN + "@p0 cp.reduce.async.bulk.global.shared::cta.bulk_group." + operation + " [a1], [r1], 16;"
                            + END,
                    in,
                    out);
            assertThat(bench.readInts(out, 4))
                    .as(operation)
                    .containsExactly(bits(low), bits(high), bits(low), bits(high));
        }
    }

    private static int bits(String text) {
        return Integer.parseUnsignedInt(text, 16);
    }

    private static long map(Bench bench, Element element, long address) {
        MemorySegment bytes = Arena.ofAuto().allocate(TensorMap.BYTES, 64);
        int count = 16 / element.bytes();
        TensorMaps.encode(
                new TensorMap(element, address, List.of((long) count), List.of(), List.of(count), Swizzle.NONE), bytes);
        long map = bench.emulator.allocate(TensorMap.BYTES);
        bench.emulator.write(map, bytes);
        return map;
    }

    @ParameterizedTest
    @CsvSource({
        "UINT32, add, 7, 5, C",
        "UINT32, or, 6, 5, 7",
        "UINT32, max, FFFFFFFF, 5, FFFFFFFF",
        "FLOAT32, add, 3F800000, 3F800000, 40000000",
        "BFLOAT16, add, 3F803F80, 40003F80, 40404000",
        "BFLOAT16, max, 3F80C000, 40003F80, 40003F80"
    })
    void tensorsAreCombinedByTheirElements(Element element, String operation, String old, String value, String result) {
        Bench bench = bench(Copies.EAGER);
        long in = bench.ints(bits(value), bits(value), bits(value), bits(value));
        long out = bench.ints(bits(old), bits(old), bits(old), bits(old));
        bench.run(BEGIN + TENSOR.formatted(operation) + END, in, map(bench, element, out));
        assertThat(bench.readInts(out, 4)).containsOnly(bits(result));
    }

    @ParameterizedTest
    @EnumSource(names = {"UINT8", "UINT16"})
    void whatHasNoSumIsNamed(Element element) {
        Bench bench = bench(Copies.EAGER);
        long in = bench.ints(1, 2, 3, 4);
        assertThat(bench.fault(TRAP, BEGIN + TENSOR.formatted("add") + END, in, map(bench, element, in)))
                .hasMessageContaining("there is no .add for a tensor of " + element);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cp.reduce.async.bulk.global.shared::cta.bulk_group.min.f32 [a1], [r1], 16;",
                "cp.reduce.async.bulk.global.shared::cta.bulk_group.inc.s32 [a1], [r1], 16;",
                "cp.reduce.async.bulk.tensor.1d.global.shared::cta.add.im2col_no_offs.bulk_group [a1, {0}], [r1];",
                "cp.async.bulk.tensor.3d.global.shared::cta.im2col_no_offs.bulk_group [a1, {0, 0, 0}], [r1];",
                "cp.async.bulk.global.shared::cta.bulk_group.cp_mask [a1], [r1], 16, h0;"
            })
    void unknownFormsAreNamed(String instruction) {
        Bench bench = bench(Copies.EAGER);
        long in = bench.ints(1, 2, 3, 4);
        bench.fault(UNSUPPORTED, BEGIN + "@p0 " + instruction, in, in);
    }
}
