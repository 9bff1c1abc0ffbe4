package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.quern.ptx.emulator.EmulatorFault.Kind.MISALIGNED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.OUT_OF_BOUNDS;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_REGISTER;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MatrixTest {
    private final Bench bench = new Bench();

    /// Where `mma` keeps the elements of its operands: row (or k) and column of element `i` of a lane, by the text of
    /// the PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type" and "for mma.m16n8k8".
    private static int[] a(int lane, int i) {
        int group = lane / 4;
        int row = i == 0 || i == 1 || i == 4 || i == 5 ? group : group + 8;
        int column = lane % 4 * 2 + i % 2 + (i >= 4 ? 8 : 0);
        return new int[] {row, column};
    }

    private static int[] b(int lane, int i) {
        return new int[] {lane % 4 * 2 + i % 2 + (i >= 2 ? 8 : 0), lane / 4};
    }

    private static int[] c(int lane, int i) {
        return new int[] {i < 2 ? lane / 4 : lane / 4 + 8, lane % 4 * 2 + i % 2};
    }

    private static short bits(boolean half, float value) {
        return half ? Float.floatToFloat16(value) : (short) (Float.floatToRawIntBits(value) >>> 16);
    }

    @ParameterizedTest
    @CsvSource({"16,bf16", "8,bf16", "16,f16", "8,f16"})
    void multipliesAsPlainMatrices(int depth, String type) {
        boolean half = type.equals("f16");
        Random random = new Random(depth);
        float[][] left = new float[16][depth];
        float[][] right = new float[depth][8];
        float[][] added = new float[16][8];
        for (float[][] matrix : new float[][][] {left, right, added}) {
            for (float[] row : matrix) {
                for (int i = 0; i < row.length; i++) {
                    row[i] = random.nextInt(65) - 32;
                }
            }
        }
        int parts = depth / 8;
        short[] aBits = new short[32 * 4 * parts];
        short[] bBits = new short[32 * 2 * parts];
        float[] cValues = new float[128];
        for (int lane = 0; lane < 32; lane++) {
            for (int i = 0; i < 4 * parts; i++) {
                aBits[lane * 4 * parts + i] = bits(half, left[a(lane, i)[0]][a(lane, i)[1]]);
            }
            for (int i = 0; i < 2 * parts; i++) {
                bBits[lane * 2 * parts + i] = bits(half, right[b(lane, i)[0]][b(lane, i)[1]]);
            }
            for (int i = 0; i < 4; i++) {
                cValues[lane * 4 + i] = added[c(lane, i)[0]][c(lane, i)[1]];
            }
        }
        long out = bench.output(512);
        String aRegisters = parts == 2 ? "{r0,r1,r2,r3}" : "{r0,r1}";
        String bRegisters = parts == 2 ? "{r4,r5}" : "{r4}";
        // The result replaces the accumulators, in another order: all are read before one is written.
        bench.run(
                "mad.wide.u32 rd0, tid, %d, a0; ld.global.v%d.u32 %s, [rd0];"
                                .formatted(8 * parts, 2 * parts, aRegisters)
                        + "mad.wide.u32 rd0, tid, %d, a1; ld.global%s.u32 %s, [rd0];"
                                .formatted(4 * parts, parts == 2 ? ".v2" : "", parts == 2 ? bRegisters : "r4")
                        + "mad.wide.u32 rd0, tid, 16, a2; ld.global.v4.f32 {f0,f1,f2,f3}, [rd0];"
                        + "mma.sync.aligned.m16n8k%d.row.col.f32.%s.%s.f32 {f3,f2,f1,f0}, %s, %s, {f0,f1,f2,f3};"
                                .formatted(depth, type, type, aRegisters, bRegisters)
                        + "mad.wide.u32 rd0, tid, 16, a3; st.global.v4.f32 [rd0], {f3,f2,f1,f0};",
                bench.shorts(aBits),
                bench.shorts(bBits),
                bench.floats(cValues),
                out);
        float[] result = bench.readFloats(out, 128);
        for (int lane = 0; lane < 32; lane++) {
            for (int i = 0; i < 4; i++) {
                int row = c(lane, i)[0];
                int column = c(lane, i)[1];
                double sum = added[row][column];
                for (int k = 0; k < depth; k++) {
                    sum += (double) left[row][k] * right[k][column];
                }
                assertThat(result[lane * 4 + i])
                        .as("row %d, column %d", row, column)
                        .isEqualTo((float) sum);
            }
        }
    }

    @Test
    void multiplicationNeedsDefinedRegistersInAllLanes() {
        assertThat(bench.fault(
                        UNDEFINED_REGISTER,
                        "mov.f32 f0, 0f00000000; mov.u32 r0, 0; setp.lt.u32 p0, tid, 31; @p0 mov.u32 r1, 0;"
                                + "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {f0,f0,f0,f0}, {r0,r1}, {r0},"
                                + "{f0,f0,f0,f0};"))
                .hasMessageContaining("r1 is read in lane 31");
    }

    @Test
    void otherShapesAreRefusedByName() {
        assertThat(bench.fault(
                        UNSUPPORTED,
                        "mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {r0,r0,r0,r0}, {r0,r0}, {r0}, {r0,r0,r0,r0};"))
                .hasMessageContaining("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32");
    }

    @ParameterizedTest
    @CsvSource({"1,false", "2,false", "4,false", "1,true", "2,true", "4,true"})
    void loadsMatrices(int count, boolean transposed) {
        // Row r of matrix m lies at a place of its own, and its elements are 1000 m + 10 r + column.
        String registers = count == 1 ? "{r4}" : count == 2 ? "{r4,r5}" : "{r4,r5,r6,r7}";
        StringBuilder text = new StringBuilder("mov.u32 r0, dyn; mul.lo.u32 r1, tid, 7; and.b32 r1, r1, 31;"
                + "mad.lo.u32 r1, r1, 16, r0; shr.u32 r2, tid, 3; and.b32 r3, tid, 7; mul.lo.u32 r2, r2, 1000;"
                + "mad.lo.u32 r2, r3, 10, r2;\n");
        for (int column = 0; column < 8; column++) {
            text.append("add.u32 r3, r2, %d; cvt.u16.u32 h0, r3; st.shared.b16 [r1+%d], h0;\n"
                    .formatted(column, 2 * column));
        }
        long out = bench.output(32 * 4 * count);
        text.append("bar.warp.sync -1; setp.ge.u32 p0, tid, %d; @p0 mov.u32 r1, 3;\n".formatted(8 * count))
                .append("ldmatrix.sync.aligned.m8n8.x%d%s.shared.b16 %s, [r1];\n"
                        .formatted(count, transposed ? ".trans" : "", registers));
        for (int i = 0; i < count; i++) {
            text.append("mad.wide.u32 rd0, tid, 4, a0; st.global.u32 [rd0+%d], r%d;\n".formatted(128 * i, 4 + i));
        }
        bench.run(text.toString(), out);
        int[] expected = IntStream.range(0, 32 * count)
                .map(i -> {
                    int first = element(transposed, i / 32, i % 32 / 4, i % 4 * 2);
                    int second = element(transposed, i / 32, i % 32 / 4, i % 4 * 2 + 1);
                    return first | second << 16;
                })
                .toArray();
        assertThat(bench.readInts(out, 32 * count)).isEqualTo(expected);
    }

    private static int element(boolean transposed, int matrix, int row, int column) {
        return 1000 * matrix + (transposed ? 10 * column + row : 10 * row + column);
    }

    @Test
    void loadsOfMatricesAreChecked() {
        String fill = "mov.u32 r0, dyn; mad.lo.u32 r1, tid, 16, r0; st.shared.v4.u32 [r1], {tid,tid,tid,tid};\n";
        String load = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {r4,r5,r6,r7}, [r1];";
        bench.run(fill + "bar.warp.sync -1;" + load);
        // Rows go to other lanes than those that give their addresses.
        bench.fault(RACE, fill + load);
        bench.fault(RACE, fill + "bar.warp.sync -1;" + load + "st.shared.u32 [r1], tid;");
        bench.fault(MISALIGNED, fill + "bar.warp.sync -1; add.u32 r1, r1, 8;" + load);
        bench.shared(512).fault(OUT_OF_BOUNDS, fill + "bar.warp.sync -1; add.u32 r1, r1, 16;" + load);
        bench.shared(4096)
                .fault(
                        UNDEFINED_MEMORY,
                        fill.replace("v4.u32 [r1], {tid,tid,tid,tid}", "u32 [r1+4], tid") + "bar.warp.sync -1;" + load);
        bench.block(64)
                .fault(
                        RACE,
                        fill + "bar.warp.sync -1; xor.b32 r2, tid, 32; mad.lo.u32 r1, r2, 16, r0;"
                                + "st.shared.u32 [r1], tid;"
                                + load);
    }
}
