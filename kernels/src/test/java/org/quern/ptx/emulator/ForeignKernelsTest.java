package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.fail;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntToDoubleFunction;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.gpu.Launch.Dim;
import org.quern.gpu.TensorMap;
import org.quern.gpu.TensorMap.Element;
import org.quern.gpu.TensorMap.Swizzle;
import org.quern.ptx.emulator.Options.Blocks;
import org.quern.ptx.emulator.Options.Copies;
import org.quern.ptx.emulator.Options.Device;
import org.quern.ptx.emulator.Options.Schedule;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxModule.Entry;
import org.quern.ptx.syntax.PtxModule.Parameter;
import org.quern.ptx.syntax.PtxParser;

/// Kernels whose instructions were chosen by the compiler Triton, which knows GPUs: descriptors, swizzles, fragments,
/// copies and barriers as it understands them have to give on the emulator what plain sums in double precision give.
/// `src/test/python/foreign_kernels.py` has the programs, and makes the files.
class ForeignKernelsTest {
    private static final int M = 144;
    private static final int N = 176;
    private static final int K = 208;

    private final RandomGenerator random = new SplittableRandom(5);

    /// Even seeds, with which the first lane is elected: Triton fences in the first what it initialises in the elected.
    static Stream<Options> modes() {
        List<Options> modes = new ArrayList<>();
        for (Copies copies : Copies.values()) {
            for (Schedule schedule : Schedule.values()) {
                modes.add(Options.DEFAULT
                        .withDevice(Device.SM_90)
                        .withCopies(copies)
                        .withSchedule(schedule)
                        .withBlocks(Blocks.SHUFFLED)
                        .withSeed(2L * modes.size()));
            }
        }
        return modes.stream();
    }

    /// Numbers as the device has them, and as they are.
    private record Matrix(int bytes, int rows, int columns, byte[] bits, double[] values) {
        double at(int row, int column) {
            return values[row * columns + column];
        }
    }

    private Matrix bf16(int rows, int columns) {
        return matrix(2, rows, columns, bits -> BrainFloats.toFloat(bits));
    }

    private Matrix fp8(int rows, int columns) {
        return matrix(1, rows, columns, Float8.E4M3::toFloat);
    }

    private Matrix matrix(int bytes, int rows, int columns, IntToDoubleFunction value) {
        byte[] bits = new byte[bytes * rows * columns];
        double[] values = new double[rows * columns];
        for (int i = 0; i < values.length; i++) {
            int one = bytes == 1
                    ? Float8.E4M3.round((float) random.nextGaussian())
                    : BrainFloats.round(random.nextGaussian());
            for (int j = 0; j < bytes; j++) {
                bits[i * bytes + j] = (byte) (one >> 8 * j);
            }
            values[i] = value.applyAsDouble(one);
        }
        return new Matrix(bytes, rows, columns, bits, values);
    }

    /// A B, or A times B transposed.
    private static double[] product(Matrix a, Matrix b, boolean transposed) {
        int n = transposed ? b.rows : b.columns;
        double[] c = new double[a.rows * n];
        for (int i = 0; i < a.rows; i++) {
            for (int j = 0; j < n; j++) {
                for (int k = 0; k < a.columns; k++) {
                    c[i * n + j] += a.at(i, k) * (transposed ? b.at(j, k) : b.at(k, j));
                }
            }
        }
        return c;
    }

    /// An emulator with one of the kernels.
    private static final class Kernel {
        private final Emulator emulator;
        private final PtxModule module;
        private final List<Object> arguments = new ArrayList<>();

        Kernel(Options options, String name) {
            emulator = new Emulator(options);
            try (InputStream file = ForeignKernelsTest.class.getResourceAsStream("/ptx/foreign/" + name + ".ptx")) {
                module = PtxParser.parse(new String(file.readAllBytes(), StandardCharsets.UTF_8));
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }

        long put(byte[] bytes) {
            long address = emulator.allocate(bytes.length);
            emulator.write(address, MemorySegment.ofArray(bytes));
            return address;
        }

        void add(Object... more) {
            arguments.addAll(List.of(more));
        }

        /// A matrix as Triton passes it: its map, sizes and strides.
        void addMap(
                Element element, long address, int rows, int columns, int boxRows, int boxColumns, Swizzle swizzle) {
            add(
                    new TensorMap(
                            element,
                            address,
                            List.of((long) columns, (long) rows),
                            List.of((long) columns * element.bytes()),
                            List.of(boxColumns, boxRows),
                            swizzle),
                    rows,
                    columns,
                    (long) columns,
                    1L);
        }

        /// @param sharedBytes as the head of the file says
        void launch(Dim grid, int sharedBytes) {
            MemorySegment memory = Arena.ofAuto().allocate(1024, TensorMap.BYTES);
            long at = 0;
            Entry entry = module.entries().getFirst();
            List<Parameter> parameters = entry.parameters();
            for (int i = 0; i < arguments.size(); i++) {
                Parameter parameter = parameters.get(i);
                at = (at + parameter.alignment() - 1) / parameter.alignment() * parameter.alignment();
                switch (arguments.get(i)) {
                    case Long number -> memory.set(ValueLayout.JAVA_LONG, at, number);
                    case Integer number -> memory.set(ValueLayout.JAVA_INT, at, number);
                    case Float number -> memory.set(ValueLayout.JAVA_FLOAT, at, number);
                    case TensorMap map -> TensorMaps.encode(map, memory.asSlice(at, TensorMap.BYTES));
                    default -> throw new IllegalStateException();
                }
                at += parameter.bytes();
            }
            Dim block = Dim.of(entry.directives().get("reqntid").getFirst());
            emulator.launch(module, entry, new LaunchConfiguration(grid, block, sharedBytes), memory);
        }

        void expectFloats(long address, double[] expected, double tolerance) {
            float[] found = new float[expected.length];
            emulator.read(address, MemorySegment.ofArray(found));
            expect(i -> found[i], expected, tolerance, 0);
        }

        void expectBf16(long address, double[] expected) {
            short[] found = new short[expected.length];
            emulator.read(address, MemorySegment.ofArray(found));
            expect(i -> BrainFloats.toFloat(found[i]), expected, 1e-4, 1.0 / 256);
        }

        private static void expect(IntToDoubleFunction found, double[] expected, double absolute, double relative) {
            for (int i = 0; i < expected.length; i++) {
                double tolerance = absolute + relative * Math.abs(expected[i]);
                if (!(Math.abs(found.applyAsDouble(i) - expected[i]) <= tolerance)) {
                    fail("element %d is %s: expected %s", i, found.applyAsDouble(i), expected[i]);
                }
            }
        }
    }

    private static int tiles(int size, int tile) {
        return (size + tile - 1) / tile;
    }

    /// `cp.async` with zeros at the edges, `ldmatrix` with and without transposing, `mma.sync`.
    @ParameterizedTest
    @MethodSource("modes")
    void fragmentsOfSm80(Options options) {
        Matrix a = bf16(M, K);
        Matrix b = bf16(K, N);
        Kernel device = new Kernel(options, "matmul.sm_80");
        long c = device.emulator.allocate(4L * M * N);
        device.add(device.put(a.bits), device.put(b.bits), c, M, N, K);
        device.launch(Dim.of(tiles(M, 64), tiles(N, 64)), 16_384);
        device.expectFloats(c, product(a, b, false), 1e-4);
    }

    /// `wgmma` of floats of 8 bits, on what `cp.async` brought.
    @ParameterizedTest
    @MethodSource("modes")
    void floatsOf8Bits(Options options) {
        Matrix a = fp8(M, K);
        Matrix b = fp8(N, K);
        Kernel device = new Kernel(options, "matmul_fp8.sm_90");
        long c = device.emulator.allocate(4L * M * N);
        device.add(device.put(a.bits), device.put(b.bits), c, M, N, K);
        device.launch(Dim.of(tiles(M, 64), tiles(N, 64)), 24_576);
        device.expectFloats(c, product(a, b, true), 1e-4);
    }

    /// `wgmma` with A in registers and B in both majors.
    @ParameterizedTest
    @MethodSource("modes")
    void causalAttention(Options options) {
        int length = 150;
        int size = 64;
        Matrix q = bf16(length, size);
        Matrix k = bf16(length, size);
        Matrix v = bf16(length, size);
        Kernel device = new Kernel(options, "attention.sm_90");
        long o = device.emulator.allocate(4L * length * size);
        float scale = (float) (Math.log(Math.E) / Math.log(2) / 8);
        device.add(device.put(q.bits), device.put(k.bits), device.put(v.bits), o, length, scale);
        device.launch(Dim.of(tiles(length, 64)), 40_960);
        double[] scores = product(q, k, true);
        double[] expected = new double[length * size];
        for (int i = 0; i < length; i++) {
            double total = 0;
            for (int j = 0; j <= i; j++) {
                double p = Math.exp(scores[i * length + j] / 8);
                total += p;
                for (int d = 0; d < size; d++) {
                    expected[i * size + d] += p * v.at(j, d);
                }
            }
            for (int d = 0; d < size; d++) {
                expected[i * size + d] /= total;
            }
        }
        // Probabilities are rounded to bf16.
        device.expectFloats(o, expected, 0.02);
    }

    /// Copies of tensors both ways, an mbarrier a stage, `stmatrix`, `setmaxnreg`; A K-major and B N-major.
    @ParameterizedTest
    @MethodSource("modes")
    void specialisedWarps(Options options) {
        Matrix a = bf16(M, K);
        Matrix b = bf16(K, N);
        Kernel device = new Kernel(options, "matmul_specialised.sm_90");
        long c = device.emulator.allocate(2L * M * N);
        device.addMap(Element.BFLOAT16, device.put(a.bits), M, K, 64, 64, Swizzle.BYTES_128);
        device.addMap(Element.BFLOAT16, device.put(b.bits), K, N, 64, 64, Swizzle.BYTES_128);
        device.addMap(Element.BFLOAT16, c, M, N, 64, 64, Swizzle.BYTES_128);
        device.add(M, N, K);
        device.launch(Dim.of(4), 90_284);
        device.expectBf16(c, product(a, b, false));
    }

    /// As [#specialisedWarps] with a swizzle of 64 bytes, and sums in global memory.
    @ParameterizedTest
    @MethodSource("modes")
    void sumsByCopies(Options options) {
        Matrix a = bf16(M, K);
        Matrix b = bf16(K, N);
        Kernel device = new Kernel(options, "matmul_adding.sm_90");
        long c = device.put(new byte[4 * M * N]);
        device.addMap(Element.BFLOAT16, device.put(a.bits), M, K, 64, 32, Swizzle.BYTES_64);
        device.addMap(Element.BFLOAT16, device.put(b.bits), K, N, 32, 64, Swizzle.BYTES_128);
        device.addMap(Element.FLOAT32, c, M, N, 64, 32, Swizzle.BYTES_128);
        device.add(M, N, K);
        device.launch(Dim.of(3), 41_132);
        device.expectFloats(c, product(a, b, false), 1e-4);
    }

    /// Copies for two blocks.
    @ParameterizedTest
    @MethodSource("modes")
    void clustersOfTwoBlocks(Options options) {
        Matrix a = bf16(M, K);
        Matrix b = bf16(N, K);
        Kernel device = new Kernel(options, "matmul_clustered.sm_90");
        long c = device.emulator.allocate(2L * M * N);
        device.addMap(Element.BFLOAT16, device.put(a.bits), M, K, 64, 64, Swizzle.BYTES_128);
        device.addMap(Element.BFLOAT16, device.put(b.bits), N, K, 64, 64, Swizzle.BYTES_128);
        device.addMap(Element.BFLOAT16, c, M, N, 64, 64, Swizzle.BYTES_128);
        device.add(M, N, K);
        device.launch(Dim.of(2 * tiles(M, 128), tiles(N, 64)), 24_584);
        device.expectBf16(c, product(a, b, true));
    }
}
