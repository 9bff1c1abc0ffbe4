package org.quern.gpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.kernels.check.Bf16;
import org.quern.kernels.cuda.Gemm;
import org.quern.kernels.cuda.LibraryMatMul;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;

/// Against a library of plain loops: whether the right product is asked for.
class CuBlasTest {
    @TempDir
    private Path folder;

    /// Every orientation and type, with strides wider than rows; prints how many results are wrong.
    static final class Products {
        private static final Shape ONE = new Shape(1, 1, 1, false, false);
        private static final int M = 3;
        private static final int N = 5;
        private static final int K = 7;
        private static final int PAD = 2;

        public static void main(String[] args) {
            try (Gpu gpu = Gpus.open("cuda");
                    DeviceArena arena = gpu.arena();
                    GpuStream stream = gpu.stream()) {
                DeviceMemory workspace = arena.allocate(CuBlas.WORKSPACE_BYTES);
                int wrong = 0;
                for (int variant = 0; variant < 16; variant++) {
                    wrong += multiply(arena, stream, variant, workspace);
                }
                System.out.println("wrong " + wrong);
                Matrix c = new Matrix(arena.allocate(4), 1);
                refuse(c, new Epilogue.StoreBf16(c.memory(), null));
                refuse(c, new Epilogue.StoreF32(new Matrix(arena.allocate(4), 1)));
                refuse(c, new Epilogue.Gelu(null, c));
                refuse(c, new Epilogue.StoreBf16(null, null));
                Matrix a = new Matrix(arena.allocate(4), 1);
                Epilogue store = new Epilogue.StoreBf16(null, null);
                refuse(() -> new LibraryMatMul(new Gemm(ONE, a, a, c, store), workspace.slice(0, 1000)));
                Matrix small = new Matrix(c.memory().slice(0, 1), 1);
                refuse(() -> new LibraryMatMul(new Gemm(ONE, a, a, small, store), workspace));
            }
        }

        private static void refuse(Matrix c, Epilogue epilogue) {
            refuse(() -> new LibraryMatMul(new Gemm(ONE, c, c, c, epilogue), c.memory()));
        }

        private static void refuse(Runnable made) {
            try {
                made.run();
            } catch (GpuException e) {
                System.out.println(e.getMessage());
            }
        }

        private static int multiply(DeviceArena arena, GpuStream stream, int variant, DeviceMemory workspace) {
            Shape shape = new Shape(M, N, K, (variant & 1) != 0, (variant & 2) != 0);
            boolean f32 = (variant & 4) != 0;
            boolean added = (variant & 8) != 0;
            SplittableRandom random = new SplittableRandom(variant);
            int strideA = (shape.transposeA() ? M : K) + PAD;
            int strideB = (shape.transposeB() ? K : N) + PAD;
            int strideC = N + PAD;
            MemorySegment a = integers(arena, random, (shape.transposeA() ? K : M) * strideA, false);
            MemorySegment b = integers(arena, random, (shape.transposeB() ? N : K) * strideB, false);
            MemorySegment c = integers(arena, random, M * strideC, f32);
            Matrix result = new Matrix(upload(arena, stream, c), strideC);
            Epilogue epilogue = f32
                    ? new Epilogue.StoreF32(added ? result : null)
                    : new Epilogue.StoreBf16(null, added ? result : null);
            new LibraryMatMul(
                            new Gemm(
                                    shape,
                                    new Matrix(upload(arena, stream, a), strideA),
                                    new Matrix(upload(arena, stream, b), strideB),
                                    result,
                                    2,
                                    epilogue),
                            workspace)
                    .launch(stream);
            MemorySegment got = arena.allocateHost(c.byteSize());
            stream.copyToHost(result.memory(), got);
            int wrong = 0;
            for (int i = 0; i < M; i++) {
                for (int j = 0; j < strideC; j++) {
                    float expected = added || j >= N ? get(c, i * strideC + j, f32) : 0;
                    for (int x = 0; x < K && j < N; x++) {
                        expected += 2
                                * get(a, shape.transposeA() ? x * strideA + i : i * strideA + x, false)
                                * get(b, shape.transposeB() ? j * strideB + x : x * strideB + j, false);
                    }
                    wrong += get(got, i * strideC + j, f32) == expected ? 0 : 1;
                }
            }
            return wrong;
        }

        private static MemorySegment integers(DeviceArena arena, SplittableRandom random, int count, boolean f32) {
            MemorySegment memory = arena.allocateHost((long) count * (f32 ? Float.BYTES : Short.BYTES));
            for (int i = 0; i < count; i++) {
                float value = random.nextInt(-1, 2);
                if (f32) {
                    memory.setAtIndex(JAVA_FLOAT, i, value);
                } else {
                    memory.setAtIndex(JAVA_SHORT, i, Bf16.bits(value));
                }
            }
            return memory;
        }

        private static DeviceMemory upload(DeviceArena arena, GpuStream stream, MemorySegment source) {
            DeviceMemory memory = arena.allocate(source.byteSize());
            stream.copyToDevice(source, memory);
            return memory;
        }

        private static float get(MemorySegment memory, int index, boolean f32) {
            return f32 ? memory.getAtIndex(JAVA_FLOAT, index) : Bf16.value(memory.getAtIndex(JAVA_SHORT, index));
        }
    }

    @Test
    void asksForTheRightProduct() throws Exception {
        StubDriver driver = new StubDriver(folder);
        driver.addCuBlas();
        String refused = "matmul nn 1x1x1 by cuBLAS: it has no epilogue but adding to C\n";
        String others = """
                matmul nn 1x1x1: C must not overlap A
                matmul nn 1x1x1: the workspace needs 33,554,432 bytes: got 1,000
                matmul nn 1x1x1: C needs 2 bytes: got 1
                """;
        assertThat(driver.run(Products.class, Map.of()))
                .isEqualTo("wrong 0\n" + refused.repeat(3) + others + "exit 0\n");
    }

    /// Readies a stream twice, of which the first time fails.
    static final class Preparation {
        public static void main(String[] args) {
            try (Gpu gpu = Gpus.open("cuda");
                    GpuStream stream = gpu.stream()) {
                try {
                    CuBlas.prepare(stream);
                } catch (GpuException e) {
                    System.out.println(e.getMessage());
                }
                CuBlas.prepare(stream);
            }
        }
    }

    @Test
    void canBeReadiedAgain() throws Exception {
        StubDriver driver = new StubDriver(folder);
        driver.addCuBlas();
        assertThat(driver.run(Preparation.class, Map.of("STREAM_FAILURES", "1")))
                .isEqualTo("cublasSetStream failed: CUBLAS_STATUS_INTERNAL_ERROR\nexit 0\n");
    }

    /// Says why there is no cuBLAS, twice.
    static final class Absent {
        public static void main(String[] args) {
            System.out.println(CuBlas.absence());
            System.out.println(CuBlas.absence());
        }
    }

    @Test
    void namesWhatIsMissing() throws Exception {
        StubDriver driver = new StubDriver(folder);
        String output = driver.run(Absent.class, Map.of());
        org.junit.jupiter.api.Assumptions.assumeFalse(output.contains("Optional.empty"), "this machine has cuBLAS");
        String line = "Optional\\[libJCublas2-12.6.0-linux-x86_64.so cannot be loaded: .*libcublas.so.12: .*\\]\n";
        assertThat(output).matches(line + line + "exit 0\n");
    }
}
