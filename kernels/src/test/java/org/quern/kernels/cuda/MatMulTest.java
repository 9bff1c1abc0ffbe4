package org.quern.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.kernels.check.Bf16;
import org.quern.kernels.check.KernelCase;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.MatMulPlan.Tile;
import org.quern.ptx.emulator.Statistics;
import org.quern.ptx.emulator.Statistics.Accesses;

class MatMulTest extends KernelFamilyTest {
    private static final long ADDRESS = 1L << 33;

    MatMulTest() {
        super("matmul");
    }

    // ---------------------------------------------------------------- what decides the speed

    /// Neither in the main loop nor at a tile's start or end, of any kernel.
    @ParameterizedTest
    @MethodSource("cases")
    void meetsNoBankConflicts(KernelCase kernelCase) {
        EmulatedKernels device = devices.getFirst();
        device.run(kernelCase);
        assertThat(device.statistics().getFirst().wavefronts()).isPositive();
        assertThat(device.statistics())
                .allSatisfy(launch -> assertThat(launch.accesses())
                        .allSatisfy(access -> assertThat(access.bankConflicts()).isZero()));
    }

    /// Every orientation, epilogue and the reduction move whole sectors; A and B are copied once for each tile that
    /// needs them, and each warp loads the fragments of its 64 x 64 or 32 x 32 sums once.
    @ParameterizedTest
    @EnumSource(Tile.class)
    void movesAndLoadsNothingTwice(Tile tile) {
        int m = 256;
        int n = 512;
        int k = 128;
        try (EmulatedGpu gpu = new EmulatedGpu();
                LoadedKernels library = LoadedKernels.asText(gpu);
                DeviceArena arena = gpu.arena();
                GpuStream stream = gpu.stream()) {
            List<Statistics> launches = new ArrayList<>();
            gpu.observe(launches::add);
            DeviceMemory a = zeros(arena, stream, 2L * m * k);
            DeviceMemory b = zeros(arena, stream, 2L * n * k);
            DeviceMemory bias = zeros(arena, stream, 2L * n);
            DeviceMemory c = zeros(arena, stream, 4L * m * n);
            Matrix extra = new Matrix(zeros(arena, stream, 2L * m * n), n);
            DeviceMemory workspace = arena.allocate(new MatMulPlan(tile, 2).workspaceBytes(m, n));
            Matrix target = new Matrix(c, n);
            for (int orientation = 0; orientation < 4; orientation++) {
                boolean transposeA = (orientation & 1) != 0;
                boolean transposeB = (orientation & 2) != 0;
                Shape shape = new Shape(m, n, k, transposeA, transposeB);
                for (Epilogue epilogue : List.of(
                        new Epilogue.StoreBf16(bias, extra),
                        new Epilogue.Gelu(bias, extra),
                        new Epilogue.GeluGradient(extra),
                        new Epilogue.StoreF32(target))) {
                    launches.clear();
                    new MatMul(
                                    library,
                                    new MatMulPlan(tile, orientation % 2 + 1),
                                    new Gemm(
                                            shape,
                                            new Matrix(a, transposeA ? m : k),
                                            new Matrix(b, transposeB ? k : n),
                                            target,
                                            epilogue),
                                    workspace)
                            .launch(stream);
                    assertThat(launches).hasSize(orientation % 2 + 1);
                    for (Statistics launch : launches) {
                        assertThat(launch.accesses())
                                .allSatisfy(access ->
                                        assertThat(access.wastedSectors()).isZero());
                    }
                    long copied = launches.getFirst().accesses().stream()
                            .filter(access -> access.text().contains("cp.async"))
                            .mapToLong(Accesses::bytes)
                            .sum();
                    assertThat(copied).isEqualTo(2L * k * (m * (long) n / tile.n + n * (long) m / tile.m));
                    SortedMap<String, Long> instructions = launches.getFirst().instructions();
                    assertThat(instructions.get("mma")).isEqualTo((long) m * n * k / (16 * 8 * 16));
                    assertThat(instructions.get("mma") / instructions.get("ldmatrix"))
                            .isEqualTo(tile == Tile.SMALL ? 2 : 4);
                }
            }
        }
    }

    private static DeviceMemory zeros(DeviceArena arena, GpuStream stream, long bytes) {
        DeviceMemory memory = arena.allocate(bytes);
        stream.fill(memory, (byte) 0);
        return memory;
    }

    // ---------------------------------------------------------------- far apart

    /// Rows 2 GiB apart: element numbers need more than 31 bits, bytes more than 32.
    @ParameterizedTest
    @ValueSource(ints = {8, 5})
    void reachesBeyondFourGiB(int n) {
        int stride = 1 << 30;
        int m = 4;
        int k = 8;
        try (EmulatedGpu gpu = new EmulatedGpu();
                LoadedKernels library = LoadedKernels.asText(gpu);
                DeviceArena arena = gpu.arena();
                GpuStream stream = gpu.stream();
                Arena host = Arena.ofConfined()) {
            Matrix a = far(arena, stream, host, m, k, stride, Bf16.bits(2));
            Matrix b = far(arena, stream, host, n, k, stride, Bf16.bits(3));
            Matrix residual = far(arena, stream, host, m, n, stride, Bf16.bits(5));
            Epilogue epilogue = new Epilogue.StoreBf16(null, residual);
            Shape shape = new Shape(m, n, k, false, true);
            Gemm gemm = new Gemm(shape, a, b, residual, epilogue);
            new MatMul(library, new MatMulPlan(Tile.SMALL, 1), gemm, null).launch(stream);
            for (int row = 0; row < m; row++) {
                MemorySegment values = host.allocate(2L * n, 8);
                stream.copyToHost(residual.memory().slice(2L * row * stride, 2L * n), values);
                short[] expected = new short[n];
                Arrays.fill(expected, Bf16.bits(2 * 3 * k + 5));
                assertThat(values.toArray(ValueLayout.JAVA_SHORT)).isEqualTo(expected);
            }
        }
    }

    private static Matrix far(
            DeviceArena arena, GpuStream stream, Arena host, int rows, int columns, int stride, short value) {
        DeviceMemory memory = arena.allocate(2L * ((rows - 1L) * stride + columns));
        short[] row = new short[columns];
        Arrays.fill(row, value);
        MemorySegment values = host.allocateFrom(ValueLayout.JAVA_SHORT, row);
        for (int i = 0; i < rows; i++) {
            stream.copyToDevice(values, memory.slice(2L * i * stride, 2L * columns));
        }
        return new Matrix(memory, stride);
    }

    // ---------------------------------------------------------------- variants

    @Test
    void listsEachVariantOnce() {
        assertThat(MatMul.variants()).doesNotHaveDuplicates();
    }

    @Test
    void namesEachCaseOnce() {
        assertThat(cases().map(KernelCase::name).collect(Collectors.toList())).doesNotHaveDuplicates();
        assertThat(slowCases().map(KernelCase::name).collect(Collectors.toList()))
                .doesNotHaveDuplicates();
    }

    // ---------------------------------------------------------------- bad input

    private static final Shape SHAPE = new Shape(16, 24, 32, false, true);
    private static final Matrix A = new Matrix(new DeviceMemory(ADDRESS, 2 * 16 * 32), 32);
    private static final Matrix B = new Matrix(new DeviceMemory(2 * ADDRESS, 2 * 24 * 32), 32);
    private static final Matrix C = new Matrix(new DeviceMemory(3 * ADDRESS, 2 * 16 * 24), 24);
    private static final Epilogue STORE = new Epilogue.StoreBf16(null, null);

    @ParameterizedTest
    @CsvSource({"0, 8, 8", "8, 0, 8", "8, 8, 0", "-1, 8, 8"})
    void refusesSizesBelowOne(int m, int n, int k) {
        Shape shape = new Shape(m, n, k, false, true);
        refuses(shape, A, B, C, STORE, "matmul nt %dx%dx%d: m, n and k must be at least 1".formatted(m, n, k));
    }

    @Test
    void refusesBuffersThatAreTooSmall() {
        refuses(SHAPE, shorter(A), B, C, STORE, "A needs 1,024 bytes: got 1,023");
        refuses(SHAPE, A, shorter(B), C, STORE, "B needs 1,536 bytes: got 1,535");
        refuses(SHAPE, A, B, shorter(C), STORE, "C needs 768 bytes: got 767");
        refuses(SHAPE, A, B, C, new Epilogue.StoreF32(null), "C needs 1,536 bytes: got 768");
        Matrix extra = shorter(moved(C, ADDRESS));
        refuses(SHAPE, A, B, C, new Epilogue.StoreBf16(null, extra), "the residual needs 768 bytes: got 767");
        refuses(SHAPE, A, B, C, new Epilogue.Gelu(null, extra), "the pre-activation needs 768 bytes: got 767");
        DeviceMemory bias = new DeviceMemory(4 * ADDRESS, 46);
        refuses(SHAPE, A, B, C, new Epilogue.StoreBf16(bias, null), "the bias needs 48 bytes: got 46");
    }

    @Test
    void takesMatricesThatEndWithTheirLastElement() {
        Matrix slice = new Matrix(new DeviceMemory(ADDRESS, 2 * (15 * 40 + 32)), 40);
        assertThat(product(new MatMulPlan(Tile.SMALL, 1), SHAPE, slice, B, C, STORE, null))
                .isNotNull();
        refuses(SHAPE, shorter(slice), B, C, STORE, "A needs 1,264 bytes: got 1,263");
    }

    @Test
    void refusesStridesBelowTheColumns() {
        refuses(
                SHAPE,
                new Matrix(A.memory(), 31),
                B,
                C,
                STORE,
                "the stride of A must be at least its 32 columns: got 31");
        refuses(
                SHAPE,
                A,
                B,
                new Matrix(C.memory(), 23),
                STORE,
                "the stride of C must be at least its 24 columns: got 23");
    }

    @Test
    void refusesElementsThatAreNotAligned() {
        refuses(SHAPE, moved(A, 1), B, C, STORE, "A must be aligned to 2 bytes: got address 0x200000001");
        Matrix floats = new Matrix(new DeviceMemory(ADDRESS * 3 + 2, 4 * 16 * 24), 24);
        refuses(SHAPE, A, B, floats, new Epilogue.StoreF32(null), "C must be aligned to 4 bytes");
    }

    @Test
    void refusesToWriteWhatItReads() {
        refuses(SHAPE, A, B, new Matrix(A.memory(), 24), STORE, "C must not overlap A");
        refuses(SHAPE, A, B, moved(C, -ADDRESS + 2), STORE, "C must not overlap B");
        refuses(SHAPE, A, B, C, new Epilogue.Gelu(null, C), "the pre-activation must not overlap C");
    }

    @Test
    void takesSlicesOfTheSameRows() {
        DeviceMemory rows = new DeviceMemory(ADDRESS, 2 * 16 * 56);
        Matrix left = new Matrix(rows, 56);
        Matrix right = new Matrix(rows.slice(2 * 32, 2 * (16 * 56 - 32)), 56);
        assertThat(product(new MatMulPlan(Tile.SMALL, 1), SHAPE, left, B, right, STORE, null))
                .isNotNull();
        Matrix oneToTheLeft = new Matrix(rows.slice(2 * 31, 2 * (16 * 56 - 31)), 56);
        refuses(SHAPE, left, B, oneToTheLeft, STORE, "C must not overlap A");
    }

    @Test
    void refusesTooLittleWorkspace() {
        MatMulPlan plan = new MatMulPlan(Tile.MEDIUM, 2);
        long needed = plan.workspaceBytes(16, 24);
        Matrix a = new Matrix(new DeviceMemory(ADDRESS, 2 * 16 * 100), 100);
        Matrix b = new Matrix(new DeviceMemory(2 * ADDRESS, 2 * 24 * 100), 100);
        Shape shape = new Shape(16, 24, 100, false, true);
        for (DeviceMemory workspace : new DeviceMemory[] {null, new DeviceMemory(5 * ADDRESS, needed - 1)}) {
            assertThatThrownBy(() -> product(plan, shape, a, b, C, STORE, workspace))
                    .isInstanceOf(GpuException.class)
                    .hasMessageContaining("matmul nt 16x24x100: the workspace needs 3,072 bytes");
        }
    }

    private static Matrix shorter(Matrix matrix) {
        DeviceMemory memory = matrix.memory();
        return new Matrix(new DeviceMemory(memory.address(), memory.bytes() - 1), matrix.stride());
    }

    private static Matrix moved(Matrix matrix, long bytes) {
        DeviceMemory memory = matrix.memory();
        return new Matrix(new DeviceMemory(memory.address() + bytes, memory.bytes()), matrix.stride());
    }

    private MatMul product(
            MatMulPlan plan, Shape shape, Matrix a, Matrix b, Matrix c, Epilogue epilogue, DeviceMemory workspace) {
        return new MatMul(devices.getFirst().library(), plan, new Gemm(shape, a, b, c, epilogue), workspace);
    }

    private void refuses(Shape shape, Matrix a, Matrix b, Matrix c, Epilogue epilogue, String message) {
        assertThatThrownBy(() -> product(new MatMulPlan(Tile.SMALL, 1), shape, a, b, c, epilogue, null))
                .isInstanceOf(GpuException.class)
                .hasMessageStartingWith("matmul nt ")
                .hasMessageContaining(message);
    }
}
