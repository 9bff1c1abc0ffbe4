package org.quern.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MatMulTest {
    private static final ThreadTeam TWO = new ThreadTeam(2);
    private static final int[] SIZES = {1, 2, 3, 5, 6, 7, 12, 13, 16, 17, 31, 33, 64, 100};

    @AfterAll
    static void closeTeam() {
        TWO.close();
    }

    /// A product, its operands, and what C held before.
    private record Case(int m, int n, int k, float[] a, float[] b, float[] c, float[] bias) {
        static Case random(int m, int n, int k) {
            SplittableRandom random = new SplittableRandom(((long) m * 31 + n) * 31 + k);
            return new Case(
                    m, n, k, random(random, m * k), random(random, k * n), random(random, m * n), random(random, n));
        }

        private static float[] random(SplittableRandom random, int length) {
            float[] values = new float[length];
            for (int i = 0; i < length; i++) {
                values[i] = random.nextFloat(-1, 1);
            }
            return values;
        }

        float[] multiply(
                ThreadTeam team, boolean transposeA, boolean transposeB, boolean accumulate, boolean withBias) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment result = copy(arena, c);
                MemorySegment workspace = arena.allocate(MatMul.workspaceBytes(m, n, k), 4);
                workspace.fill((byte) -1); // not a number
                team.execute(new MatMul(
                        copy(arena, a),
                        copy(arena, b),
                        result,
                        withBias ? copy(arena, bias) : null,
                        m,
                        n,
                        k,
                        transposeA,
                        transposeB,
                        accumulate,
                        workspace));
                return result.toArray(ValueLayout.JAVA_FLOAT);
            }
        }

        private static MemorySegment copy(Arena arena, float[] values) {
            return arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
        }

        /// Compares with three plain loops in double precision.
        void check(float[] actual, boolean transposeA, boolean transposeB, boolean accumulate, boolean withBias) {
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                    double sum = (accumulate ? c[i * n + j] : 0) + (withBias ? bias[j] : 0);
                    double size = 1;
                    for (int p = 0; p < k; p++) {
                        double product = (double) (transposeA ? a[p * m + i] : a[i * k + p])
                                * (transposeB ? b[j * k + p] : b[p * n + j]);
                        sum += product;
                        size += Math.abs(product);
                    }
                    if (!(Math.abs(actual[i * n + j] - sum) <= 1e-6 * size)) {
                        throw new AssertionError(
                                "%dx%dx%d transposeA=%b transposeB=%b accumulate=%b bias=%b [%d, %d]: expected %s, got %s"
                                        .formatted(
                                                m,
                                                n,
                                                k,
                                                transposeA,
                                                transposeB,
                                                accumulate,
                                                withBias,
                                                i,
                                                j,
                                                sum,
                                                actual[i * n + j]));
                    }
                }
            }
        }

        void checkAll() {
            for (int variant = 0; variant < 12; variant++) {
                boolean transposeA = (variant & 1) != 0;
                boolean transposeB = (variant & 2) != 0;
                boolean accumulate = variant / 4 == 1;
                boolean withBias = variant / 4 == 2;
                check(
                        multiply(TWO, transposeA, transposeB, accumulate, withBias),
                        transposeA,
                        transposeB,
                        accumulate,
                        withBias);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5, 6, 7, 12, 13, 16, 17, 31, 33, 64, 100})
    void equalsPlainLoops(int m) {
        for (int n : SIZES) {
            for (int k : SIZES) {
                Case.random(m, n, k).checkAll();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "207, 257, 257",
        "257, 207, 513",
        "1, 1000, 2100",
        "2, 5000, 33",
        "1100, 13, 7",
        "5, 3, 10007",
        "20, 2100, 1030",
        "1060, 2100, 3",
        "1060, 40, 1100",
        "20, 5000, 33",
        "1, 1, 3000",
        "13, 1, 300",
        "1057, 1, 2",
        "4, 513, 1025"
    })
    void equalsPlainLoopsAcrossBlocks(int m, int n, int k) {
        Case.random(m, n, k).checkAll();
    }

    @ParameterizedTest
    @CsvSource({"1, 3000, 700", "257, 513, 1100", "300, 2100, 64", "7, 200, 1"})
    void hasTheSameBitsOnAnyNumberOfThreads(int m, int n, int k) {
        Case product = Case.random(m, n, k);
        try (ThreadTeam one = new ThreadTeam(1);
                ThreadTeam three = new ThreadTeam(3)) {
            for (int variant = 0; variant < 4; variant++) {
                boolean transposeA = (variant & 1) != 0;
                boolean transposeB = (variant & 2) != 0;
                float[] expected = product.multiply(one, transposeA, transposeB, false, true);
                assertThat(Arrays.equals(product.multiply(TWO, transposeA, transposeB, false, true), expected))
                        .isTrue();
                assertThat(Arrays.equals(product.multiply(three, transposeA, transposeB, false, true), expected))
                        .isTrue();
            }
        }
    }

    /// Also between a product of few rows, which goes another way, and one of many.
    @ParameterizedTest
    @ValueSource(ints = {1, 8, 9, 25})
    void rowsHaveTheSameBitsWhateverIsComputedBesideThem(int rows) {
        Case all = Case.random(40, 300, 1100);
        Case some = new Case(
                rows,
                all.n,
                all.k,
                Arrays.copyOf(all.a, rows * all.k),
                all.b,
                Arrays.copyOf(all.c, rows * all.n),
                all.bias);
        float[] expected = Arrays.copyOf(all.multiply(TWO, false, false, false, true), rows * all.n);
        assertThat(Arrays.equals(some.multiply(TWO, false, false, false, true), expected))
                .isTrue();
    }

    // Slow: it waits for the compiler.
    @Tag("slow")
    @Test
    void allocatesNothing() {
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Arena arena = Arena.ofConfined();
                ThreadTeam one = new ThreadTeam(1)) {
            MemorySegment a = arena.allocate(100 * 300 * 4);
            MemorySegment b = arena.allocate(300 * 200 * 4);
            MemorySegment c = arena.allocate(100 * 200 * 4);
            MemorySegment workspace = arena.allocate(MatMul.workspaceBytes(100, 200, 300));
            for (int variant = 0; variant < 4; variant++) {
                MatMul product =
                        new MatMul(a, b, c, 100, 200, 300, (variant & 1) != 0, (variant & 2) != 0, false, workspace);
                long allocated = Long.MAX_VALUE;
                for (int attempt = 0; attempt < 300 && allocated > 0; attempt++) {
                    long before = threads.getCurrentThreadAllocatedBytes();
                    for (int i = 0; i < 20; i++) {
                        one.execute(product);
                    }
                    allocated = threads.getCurrentThreadAllocatedBytes() - before;
                }
                assertThat(allocated).as("bytes allocated, variant %d", variant).isZero();
            }
        }
    }

    @Test
    void rejectsWrongBuffers() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment big = arena.allocate(4096);
            MemorySegment other = arena.allocate(4096);
            MemorySegment c = arena.allocate(4096);
            MemorySegment small = arena.allocate(76);
            MemorySegment heap = MemorySegment.ofArray(new float[1024]);
            MemorySegment workspace = arena.allocate(MatMul.workspaceBytes(4, 5, 4));
            assertThatThrownBy(() -> new MatMul(big, small, c, 4, 5, 4, false, false, false, workspace))
                    .hasMessage("b must hold 20 floats (80 bytes): got 76 bytes");
            assertThatThrownBy(() -> new MatMul(heap, other, c, 4, 5, 4, false, false, false, workspace))
                    .hasMessage("a must lie off the heap");
            assertThatThrownBy(() -> new MatMul(big, other, other, 4, 5, 4, false, false, false, workspace))
                    .hasMessage("c must not overlap a or b");
            assertThatThrownBy(() -> new MatMul(big, other, c, 4, 0, 4, false, false, false, workspace))
                    .hasMessage("m, n and k must be at least 1: got 4, 0, 4");
            assertThatThrownBy(() -> new MatMul(big, other, c, 4, 5, 4, false, false, false, small))
                    .hasMessageStartingWith("workspace must hold");
            assertThatThrownBy(() -> new MatMul(big, other, c, other, 4, 5, 4, false, false, true, workspace))
                    .hasMessage("a product that accumulates takes no bias");
        }
    }
}
