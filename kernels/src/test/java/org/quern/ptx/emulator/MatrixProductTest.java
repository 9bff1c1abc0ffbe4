package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.quern.ptx.emulator.EmulatorFault.Kind.ASYNC_COPY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.DEADLOCK;
import static org.quern.ptx.emulator.EmulatorFault.Kind.DIVERGED;
import static org.quern.ptx.emulator.EmulatorFault.Kind.RACE;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_MEMORY;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNDEFINED_REGISTER;
import static org.quern.ptx.emulator.EmulatorFault.Kind.UNSUPPORTED;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.ptx.emulator.Options.Device;
import org.quern.ptx.emulator.Options.Schedule;

class MatrixProductTest {
    /// Where dynamic shared memory begins.
    private static final int START = 1024;
    private static final int DEPTH = 64;

    private static Bench bench(int threads, Schedule schedule) {
        return new Bench(Options.DEFAULT
                        .withDevice(Device.SM_90)
                        .withSchedule(schedule)
                        .withSeed(2))
                .block(threads)
                .shared(98_304);
    }

    private static Bench bench() {
        return bench(128, Schedule.ROUND_ROBIN);
    }

    /// The byte at which element (mn, k) of a matrix of 64 columns k lies: atoms of 8 rows as the guide to the
    /// instruction draws them, rows of `span` bytes.
    private static int place(int mn, int k, int count, int span, boolean mnMajor) {
        if (span == 16) {
            // Blocks of 8 x 8 elements, those of one k together.
            int block = k / 8 * ((count + 7) / 8) + mn / 8;
            return block * 128 + (mnMajor ? k % 8 * 16 + mn % 8 * 2 : mn % 8 * 16 + k % 8 * 2);
        }
        int wide = span / 2;
        int row = mnMajor ? k : mn;
        int column = mnMajor ? mn : k;
        int rows = mnMajor ? DEPTH : (count + 7) / 8 * 8;
        int piece = column % wide / 8;
        int turned = switch (span) {
            case 128 -> piece ^ row % 8;
            case 64 -> piece ^ row / 2 % 4;
            default -> piece ^ row / 4 % 2;
        };
        return column / wide * rows * span + row * span + turned * 16 + column % 8 * 2;
    }

    /// A descriptor of columns k to k + 15 of such a matrix.
    private static long descriptor(int at, int k, int count, int span, boolean mnMajor) {
        long swizzle = span == 128 ? 1 : span == 64 ? 2 : span == 32 ? 3 : 0;
        int start;
        long leading;
        long stride;
        if (span == 16) {
            start = at + k / 8 * ((count + 7) / 8) * 128;
            leading = (count + 7) / 8 * 128;
            stride = 128;
        } else if (mnMajor) {
            start = at + k * span;
            leading = DEPTH * span;
            stride = 8 * span;
        } else {
            int wide = span / 2;
            start = at + k / wide * ((count + 7) / 8 * 8) * span + k % wide * 2;
            leading = 16;
            stride = 8 * span;
        }
        return start >> 4 | leading >> 4 << 16 | stride >> 4 << 32 | swizzle << 62;
    }

    private static int[] image(int[][] matrix, int span, boolean mnMajor, int words) {
        int[] image = new int[words];
        for (int mn = 0; mn < matrix.length; mn++) {
            for (int k = 0; k < DEPTH; k++) {
                int at = place(mn, k, matrix.length, span, mnMajor);
                int bits = Float.floatToIntBits(matrix[mn][k]) >>> 16;
                image[at >> 2] |= bits << 8 * (at & 2);
            }
        }
        return image;
    }

    private static int[][] random(int rows, SplittableRandom random) {
        int[][] matrix = new int[rows][DEPTH];
        for (int[] row : matrix) {
            java.util.Arrays.setAll(row, _ -> random.nextInt(-8, 9));
        }
        return matrix;
    }

    private static String registers(int columns) {
        return IntStream.range(0, columns / 2).mapToObj(i -> "acc" + i).collect(Collectors.joining(", ", "{", "}"));
    }

    /// Copies all of a0 to shared memory.
    private static String fill(int words) {
        return """
                .reg .f32 acc<128>;
                mov.u32 r0, dyn; mov.u32 r1, tid;
                F: mad.wide.u32 rd0, r1, 4, a0; ld.global.u32 r2, [rd0]; mad.lo.u32 r3, r1, 4, r0; st.shared.u32 [r3], r2;
                add.u32 r1, r1, 128; setp.lt.u32 p0, r1, %d; @p0 bra F;
                """.formatted(words);
    }

    /// Stores all accumulators to a1, 64 rows of `columns`.
    private static String store(int columns) {
        StringBuilder text = new StringBuilder("""
                shr.u32 r4, tid, 5; and.b32 r5, tid, 31; shr.u32 r6, r5, 2; mad.lo.u32 r6, r4, 16, r6;
                and.b32 r7, r5, 3; shl.b32 r7, r7, 1; mad.lo.u32 r8, r6, %d, r7; mad.wide.u32 rd1, r8, 4, a1;
                """.formatted(columns));
        for (int i = 0; i < columns / 2; i++) {
            int row = i / 2 % 2 * 8;
            int column = i / 4 * 8 + i % 2;
            text.append("st.global.f32 [rd1+%d], acc%d;\n".formatted((row * columns + column) * 4, i));
        }
        return text.toString();
    }

    private static final String FENCES = "fence.proxy.async.shared::cta; bar.sync 0; wgmma.fence.sync.aligned;\n";
    private static final String WAIT = "wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;\n";

    @ParameterizedTest
    @CsvSource({
        "256, 128, false, 128, false", "8, 128, false, 128, false", "24, 128, false, 64, false",
        "64, 64, false, 128, true", "136, 32, false, 32, false", "128, 128, true, 128, true",
        "192, 128, true, 128, false", "64, 64, true, 64, true", "96, 32, true, 32, true",
        "40, 16, false, 16, false", "40, 16, true, 16, true", "256, 128, true, 128, true"
    })
    void productsAreThoseOfTheMatrices(int columns, int spanA, boolean mnMajorA, int spanB, boolean mnMajorB) {
        SplittableRandom random = new SplittableRandom(columns);
        int[][] a = random(64, random);
        int[][] b = random(columns, random);
        int wordsA = 64 * DEPTH / 2;
        int atB = START + wordsA * 4;
        // Of 24 columns in rows of 64 the rest of the row is not used.
        int wordsB = 16_384;
        int[] image = new int[wordsA + wordsB];
        System.arraycopy(image(a, spanA, mnMajorA, wordsA), 0, image, 0, wordsA);
        System.arraycopy(image(b, spanB, mnMajorB, wordsB), 0, image, wordsA, wordsB);
        StringBuilder body = new StringBuilder(fill(image.length)).append(FENCES);
        for (int k = 0; k < DEPTH; k += 16) {
            body.append("mov.b64 rd2, %d; mov.b64 rd3, %d;\n"
                            .formatted(
                                    descriptor(START, k, 64, spanA, mnMajorA),
                                    descriptor(atB, k, columns, spanB, mnMajorB)))
                    .append("wgmma.mma_async.sync.aligned.m64n%dk16.f32.bf16.bf16 %s, rd2, rd3, %d, 1, %d, %d, %d;\n"
                            .formatted(
                                    columns,
                                    registers(columns),
                                    k == 0 ? 0 : 1,
                                    k == 16 ? -1 : 1,
                                    mnMajorA ? 1 : 0,
                                    mnMajorB ? 1 : 0));
        }
        Bench bench = bench();
        long in = bench.ints(image);
        long out = bench.output(64L * columns * 4);
        Statistics statistics = bench.run(body + WAIT + store(columns), in, out);
        float[] found = bench.readFloats(out, 64 * columns);
        for (int m = 0; m < 64; m++) {
            for (int n = 0; n < columns; n++) {
                int sum = 0;
                for (int k = 0; k < DEPTH; k++) {
                    sum += (k / 16 == 1 ? -1 : 1) * a[m][k] * b[n][k];
                }
                assertThat(found[m * columns + n]).as("row %d, column %d", m, n).isEqualTo(sum);
            }
        }
        assertThat(statistics.flops()).isEqualTo(2L * 64 * columns * DEPTH);
    }

    /// What 8 bits stand for, by the specification's formulas; e5m2 is the upper half of an f16.
    private static double float8(String type, int bits) {
        if (type.equals("e5m2")) {
            return Float.float16ToFloat((short) (bits << 8));
        }
        int exponent = bits >> 3 & 15;
        double size = exponent == 0 ? (bits & 7) * 0x1p-9 : (8 + (bits & 7)) * Math.pow(2, exponent - 10);
        return bits < 128 ? size : -size;
    }

    /// The byte at which element (mn, k) of a K-major matrix of bytes, 64 k, lies.
    private static int placeOfByte(int mn, int k, int count, int span) {
        int rows = (count + 7) / 8 * 8;
        if (span == 16) {
            return k / 16 * rows * 16 + mn * 16 + k % 16;
        }
        int line = (mn * span + k % span) / 128 % (span / 16);
        return k / span * rows * span + mn * span + (k % span / 16 ^ line) * 16 + k % 16;
    }

    private static long descriptorOfBytes(int at, int k, int count, int span) {
        int rows = (count + 7) / 8 * 8;
        long swizzle = span == 128 ? 1 : span == 64 ? 2 : span == 32 ? 3 : 0;
        int start = at + (span == 16 ? k / 16 * rows * 16 : k / span * rows * span + k % span);
        long leading = span == 16 ? rows * 16 : 16;
        return start >> 4 | leading >> 4 << 16 | 8L * span >> 4 << 32 | swizzle << 62;
    }

    private static int[][] randomBytes(int rows, SplittableRandom random) {
        int[][] matrix = new int[rows][DEPTH];
        for (int[] row : matrix) {
            // Finite numbers of either type.
            java.util.Arrays.setAll(row, _ -> random.nextInt(2) << 7 | random.nextInt(0x7C));
        }
        return matrix;
    }

    private static int[] imageOfBytes(int[][] matrix, int span, int words) {
        int[] image = new int[words];
        for (int mn = 0; mn < matrix.length; mn++) {
            for (int k = 0; k < DEPTH; k++) {
                int at = placeOfByte(mn, k, matrix.length, span);
                image[at >> 2] |= matrix[mn][k] << 8 * (at & 3);
            }
        }
        return image;
    }

    /// Row 16 w + t / 4 + 8 (r % 2) of warp w and k 4 (t % 4) + 16 (r / 2) on to r10 and so on, from rows of 64
    /// bytes that the swizzle of 64 bytes turned.
    private static String fragmentsOfBytes() {
        StringBuilder text = new StringBuilder("""
                bar.sync 0; shr.u32 r4, tid, 5; and.b32 r5, tid, 31; shr.u32 r6, r5, 2; mad.lo.u32 r6, r4, 16, r6;
                shl.b32 r6, r6, 6; and.b32 r7, r5, 3; shl.b32 r7, r7, 2;
                """);
        for (int r = 0; r < 8; r++) {
            text.append("""
                    add.u32 r8, r6, %d; shr.u32 r9, r8, 7; and.b32 r9, r9, 3; xor.b32 r9, r9, %d; shl.b32 r9, r9, 4;
                    add.u32 r9, r9, r8; add.u32 r9, r9, r7; add.u32 r9, r9, r0; ld.shared.u32 r%d, [r9];
                    """.formatted(r % 2 * 8 * 64, r / 2, 10 + r));
        }
        return text.toString();
    }

    /// A in shared memory, or in registers where its span is 0.
    @ParameterizedTest
    @CsvSource({
        "256, 128, 128, e4m3, e4m3", "8, 128, 128, e5m2, e4m3", "24, 64, 128, e4m3, e5m2", "136, 32, 32, e5m2, e5m2",
        "40, 16, 16, e4m3, e4m3", "64, 64, 64, e5m2, e4m3", "16, 0, 128, e4m3, e5m2", "48, 0, 32, e5m2, e4m3"
    })
    void productsOfBytesAreThoseOfTheMatrices(int columns, int spanA, int spanB, String typeA, String typeB) {
        SplittableRandom random = new SplittableRandom(columns);
        int[][] a = randomBytes(64, random);
        int[][] b = randomBytes(columns, random);
        // Rows of up to 128 bytes, of which 64 are used.
        int wordsA = 64 * 128 / 4;
        int[] image = new int[wordsA + 256 * 128 / 4];
        boolean inRegisters = spanA == 0;
        System.arraycopy(imageOfBytes(a, inRegisters ? 64 : spanA, wordsA), 0, image, 0, wordsA);
        System.arraycopy(imageOfBytes(b, spanB, image.length - wordsA), 0, image, wordsA, image.length - wordsA);
        StringBuilder body = new StringBuilder(fill(image.length));
        body.append(inRegisters ? fragmentsOfBytes() : "").append(FENCES);
        for (int k = 0; k < DEPTH; k += 32) {
            int first = 10 + k / 8;
            String matrixA =
                    inRegisters ? "{r%d, r%d, r%d, r%d}".formatted(first, first + 1, first + 2, first + 3) : "rd2";
            body.append("mov.b64 rd2, %d; mov.b64 rd3, %d;\n"
                            .formatted(
                                    inRegisters ? 0 : descriptorOfBytes(START, k, 64, spanA),
                                    descriptorOfBytes(START + wordsA * 4, k, columns, spanB)))
                    .append("wgmma.mma_async.sync.aligned.m64n%dk32.f32.%s.%s %s, %s, rd3, %d, %d, 1;\n"
                            .formatted(
                                    columns,
                                    typeA,
                                    typeB,
                                    registers(columns),
                                    matrixA,
                                    k == 0 ? 0 : 1,
                                    k == 0 ? 1 : -1));
        }
        Bench bench = bench();
        long in = bench.ints(image);
        long out = bench.output(64L * columns * 4);
        Statistics statistics = bench.run(body + WAIT + store(columns), in, out);
        float[] found = bench.readFloats(out, 64 * columns);
        for (int m = 0; m < 64; m++) {
            for (int n = 0; n < columns; n++) {
                double[] sums = new double[2];
                for (int k = 0; k < DEPTH; k++) {
                    sums[k / 32] += float8(typeA, a[m][k]) * float8(typeB, b[n][k]);
                }
                assertThat(found[m * columns + n]).as("row %d, column %d", m, n).isEqualTo((float)
                        ((float) sums[0] - sums[1]));
            }
        }
        assertThat(statistics.flops()).isEqualTo(2L * 64 * columns * DEPTH);
    }

    /// A and B of ones in columns 0 to 15, as 128-byte rows; the product of 16 columns is 16 everywhere.
    private static final int[] ONES = ones();

    private static int[] ones() {
        int[] words = new int[(64 + 16) * 32];
        java.util.Arrays.fill(words, 0x3f803f80);
        return words;
    }

    private static final String DESCRIPTORS = "mov.b64 rd2, %d; mov.b64 rd3, %d;\n"
            .formatted(descriptor(START, 0, 64, 128, false), descriptor(START + 64 * 128, 0, 16, 128, false));

    private static String product(int accumulate) {
        return "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 %s, rd2, rd3, %d, 1, 1, 0, 0;\n"
                .formatted(registers(16), accumulate);
    }

    private static void run(Bench bench, String body) {
        long in = bench.ints(ONES);
        long out = bench.output(64 * 16 * 4);
        bench.run(body, in, out);
        assertThat(bench.readFloats(out, 64 * 16)).containsOnly(32f);
    }

    private static EmulatorFault fault(Bench bench, EmulatorFault.Kind kind, String body) {
        return bench.fault(kind, body, bench.ints(ONES), bench.output(64 * 16 * 4));
    }

    private static final String BEGIN = fill(ONES.length) + DESCRIPTORS;

    @ParameterizedTest
    @EnumSource(Schedule.class)
    void everyPartOfTheProtocolIsNeeded(Schedule schedule) {
        String whole = BEGIN + FENCES + product(0) + product(1) + WAIT + store(16);
        run(bench(128, schedule), whole);
        Bench bench = bench(128, schedule);
        assertThat(fault(bench, RACE, whole.replace("fence.proxy.async.shared::cta;", "")))
                .hasMessageContaining("fence.proxy.async is missing");
        EmulatorFault unordered = catchThrowableOfType(
                EmulatorFault.class, () -> run(bench(128, schedule), whole.replace("bar.sync 0; wgmma", "wgmma")));
        assertThat(unordered.kind()).isIn(RACE, UNDEFINED_MEMORY);
        assertThat(fault(bench, ASYNC_COPY, whole.replace("wgmma.fence.sync.aligned;", "")))
                .hasMessageContaining("uses acc0");
        assertThat(fault(bench, ASYNC_COPY, whole.replace("wgmma.wait_group.sync.aligned 0;", "")))
                .hasMessageContaining("touches acc0 while a product may still use it");
        fault(bench, ASYNC_COPY, whole.replace("wgmma.commit_group.sync.aligned;", ""));
        fault(bench, ASYNC_COPY, whole.replace("aligned 0;", "aligned 1;"));
        fault(bench, ASYNC_COPY, BEGIN + FENCES + product(0) + "wgmma.commit_group.sync.aligned;");
        fault(bench, UNDEFINED_REGISTER, BEGIN + FENCES + product(1) + WAIT);
        // What the products read may not change before the wait.
        assertThat(fault(
                        bench,
                        ASYNC_COPY,
                        whole.replace(WAIT, "bar.sync 0; mad.lo.u32 r3, tid, 16, r0; st.shared.u32 [r3], r0;" + WAIT)))
                .hasMessageContaining("may still be reading it");
        // Any of the four warps may write after its own wait, as the product has ended for all; others learn of it.
        run(bench(128, schedule), whole + "mad.lo.u32 r3, tid, 16, r0; st.shared.u32 [r3], r0;");
        String others = "setp.ge.u32 p1, tid, 128; @p1 bra OTHERS;" + BEGIN + FENCES.replace("0;", "1, 128;")
                + product(0) + product(1) + WAIT + store(16)
                + "bar.sync 2, 256; bra END; OTHERS: %s mov.u32 r0, dyn; mad.lo.u32 r3, tid, 16, r0; st.shared.u32 [r3], r0; END:";
        run(bench(256, schedule), others.formatted("bar.sync 2, 256;"));
        // Registers that were touched need a fence again, those of an earlier product do not.
        String moved = BEGIN + FENCES + product(0) + WAIT + "mul.f32 acc3, acc3, 0f3F800000;%s" + product(1) + WAIT;
        run(bench(128, schedule), moved.formatted("wgmma.fence.sync.aligned;") + store(16));
        fault(bench, ASYNC_COPY, moved.formatted(""));
        run(bench(128, schedule), BEGIN + FENCES + product(0) + WAIT + product(1) + WAIT + store(16));
    }

    @Test
    void warpsOfAWarpgroupMultiplyTogether() {
        String whole = BEGIN + FENCES + product(0) + product(1) + WAIT + store(16);
        fault(bench(96, Schedule.ROUND_ROBIN), DIVERGED, whole.replace("128; setp", "96; setp"));
        assertThat(fault(
                        bench(),
                        DIVERGED,
                        BEGIN + "setp.eq.u32 p1, tid, 3; @p1 add.u64 rd2, rd2, 2;" + FENCES + product(0) + WAIT))
                .hasMessageContaining("must have the same descriptors");
        assertThat(fault(
                        bench(),
                        DIVERGED,
                        BEGIN + "setp.lt.u32 p1, tid, 32; @p1 add.u64 rd2, rd2, 2;" + FENCES + product(0) + WAIT))
                .hasMessageContaining("the four warps of a warpgroup multiply together");
        assertThat(fault(
                        bench(),
                        DEADLOCK,
                        BEGIN + FENCES + "setp.ge.u32 p1, tid, 96; @p1 bra END;" + product(0) + WAIT + "END:"))
                .hasMessageContaining("the products that other warps of its warpgroup have yet to issue");
        fault(bench(), DIVERGED, BEGIN + FENCES + "setp.eq.u32 p1, tid, 5; @p1 " + product(0) + WAIT);
    }

    @Test
    void fragmentsOfRegistersAreRowsOfA() {
        // A row m is m + 1 at k = 0 and 2 at k = 9, B row n is n at k = 0 and 1 at k = 9.
        int columns = 16;
        int[][] b = new int[columns][DEPTH];
        for (int n = 0; n < columns; n++) {
            b[n][0] = n;
            b[n][9] = 1;
        }
        int[] image = new int[(64 + 16) * 32];
        System.arraycopy(image(b, 128, true, 2048), 0, image, 0, 2048);
        String fragments = """
                shr.u32 r4, tid, 5; and.b32 r5, tid, 31; shr.u32 r6, r5, 2; mad.lo.u32 r6, r4, 16, r6; and.b32 r7, r5, 3;
                add.u32 r6, r6, 1; cvt.rn.f32.u32 f0, r6; add.u32 r6, r6, 8; cvt.rn.f32.u32 f1, r6; mov.f32 f2, 0f40000000;
                mov.f32 f3, 0f00000000; setp.ne.u32 p1, r7, 0; @p1 mov.f32 f0, f3; @p1 mov.f32 f1, f3; @p1 mov.f32 f2, f3;
                cvt.rn.bf16x2.f32 r10, f3, f0; cvt.rn.bf16x2.f32 r11, f3, f1; cvt.rn.bf16x2.f32 r12, f2, f3;
                cvt.rn.bf16x2.f32 r13, f2, f3; mov.b64 rd3, %d;
                """.formatted(descriptor(START, 0, columns, 128, true));
        String product =
                "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 %s, {r10, r11, r12, r13}, rd3, 0, 1, 1, 1;\n"
                        .formatted(registers(columns));
        Bench bench = bench();
        long in = bench.ints(image);
        long out = bench.output(64L * columns * 4);
        bench.run(fill(2048) + fragments + FENCES + product + WAIT + store(columns), in, out);
        float[] found = bench.readFloats(out, 64 * columns);
        for (int m = 0; m < 64; m++) {
            for (int n = 0; n < columns; n++) {
                assertThat(found[m * columns + n]).as("%d %d", m, n).isEqualTo((m + 1) * n + 2);
            }
        }
        String late = fill(2048) + fragments + FENCES + product + "mov.b32 r11, r12;" + WAIT;
        assertThat(bench.fault(ASYNC_COPY, late, in, out))
                .hasMessageContaining("touches r11 while a product may still use it");
        String unfenced = fill(2048) + FENCES + fragments + product + WAIT;
        bench.fault(ASYNC_COPY, unfenced, in, out);
    }

    @Test
    void shapesThatDoNotExistAreNamed() {
        String product = BEGIN + FENCES + product(0);
        fault(bench(), UNSUPPORTED, product.replace("m64n16", "m64n12"));
        fault(bench(), UNSUPPORTED, product.replace("rd3, 0, 1, 1", "rd3, 0, 2, 1"));
        fault(bench(), UNSUPPORTED, product.replace("bf16.bf16", "bf16.f16"));
        fault(bench(), UNSUPPORTED, product.replace("bf16.bf16", "e4m3.e4m3"));
        fault(bench(), UNSUPPORTED, product.replace("k16.f32.bf16.bf16", "k32.f32.e4m3.e4m3"));
        fault(bench(), UNSUPPORTED, product.replace("k16.f32.bf16.bf16", "k32.f32.bf16.bf16"));
        fault(bench(), UNSUPPORTED, product.replace("acc7}", "acc7, acc8}"));
        for (String other : List.of("k16.f16.f16.f16", "k32.s32.s8.s8", "k256.s32.b1.b1.and.popc")) {
            assertThat(fault(bench(), UNSUPPORTED, product.replace("k16.f32.bf16.bf16", other)))
                    .hasMessageContaining(other + ": the emulator does not know this form of the instruction");
        }
        assertThat(fault(
                        bench(),
                        UNSUPPORTED,
                        product.replace("wgmma.mma", "or.b64 rd3, rd3, 0x2000000000000;\nwgmma.mma")))
                .hasMessageContaining("base offset 0 only: 0x4002");
    }
}
