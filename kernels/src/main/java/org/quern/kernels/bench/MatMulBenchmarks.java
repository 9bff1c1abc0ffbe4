package org.quern.kernels.bench;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.quern.gpu.CuBlas;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.bench.KernelBenchmark.Setup;
import org.quern.kernels.cuda.LibraryMatMul;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.WarpgroupMatMul;
import org.quern.kernels.cuda.WarpgroupMatMul.Plan;
import org.quern.kernels.cuda.WarpgroupMatMul.Tile;

/// Matrix products of linear layers, forward and backward, and of squares.
final class MatMulBenchmarks {
    private static final String FAMILY = "matmul";

    /// What becomes of a product.
    private enum Ending {
        NONE,
        BIAS,
        GELU,
        GELU_GRADIENT,
        RESIDUAL,
        ACCUMULATE
    }

    /// A linear layer: outputs = inputs weights^T.
    private record Layer(String name, int rows, int outputs, int inputs, Ending ending) {
        Stream<KernelBenchmark> benchmarks() {
            return Stream.of(
                    benchmark(name + " forward", new Shape(rows, outputs, inputs, false, true), ending),
                    benchmark(name + " dx", new Shape(rows, inputs, outputs, false, false), Ending.NONE),
                    benchmark(name + " dw", new Shape(outputs, inputs, rows, true, false), Ending.ACCUMULATE));
        }
    }

    private static final List<Layer> LAYERS = List.of(
            new Layer("gpt2-124m qkv", 65_536, 2304, 768, Ending.BIAS),
            new Layer("gpt2-124m out", 65_536, 768, 768, Ending.RESIDUAL),
            new Layer("gpt2-124m up", 65_536, 3072, 768, Ending.GELU),
            new Layer("gpt2-124m down", 65_536, 768, 3072, Ending.RESIDUAL),
            new Layer("gpt2-124m head", 8192, 50_304, 768, Ending.NONE),
            new Layer("gpt2-1558m qkv", 16_384, 4800, 1600, Ending.BIAS),
            new Layer("gpt2-1558m out", 16_384, 1600, 1600, Ending.RESIDUAL),
            new Layer("gpt2-1558m up", 16_384, 6400, 1600, Ending.GELU),
            new Layer("gpt2-1558m down", 16_384, 1600, 6400, Ending.RESIDUAL),
            new Layer("llama-8b qkv", 8192, 6144, 4096, Ending.NONE),
            new Layer("llama-8b out", 8192, 4096, 4096, Ending.RESIDUAL),
            new Layer("llama-8b gate, up", 8192, 28_672, 4096, Ending.NONE),
            new Layer("llama-8b down", 8192, 4096, 14_336, Ending.RESIDUAL));

    private MatMulBenchmarks() {}

    static List<KernelBenchmark> benchmarks() {
        return Stream.concat(
                        LAYERS.stream().flatMap(Layer::benchmarks),
                        Stream.concat(
                                Stream.of(benchmark(
                                        "gpt2-124m down dx",
                                        new Shape(65_536, 3072, 768, false, false),
                                        Ending.GELU_GRADIENT)),
                                Stream.of(1024, 2048, 4096, 8192).map(MatMulBenchmarks::square)))
                .toList();
    }

    static List<KernelBenchmark> reduced() {
        return Stream.of(
                        new Layer("qkv", 256, 256, 128, Ending.BIAS),
                        new Layer("up", 256, 256, 128, Ending.GELU),
                        new Layer("odd", 129, 200, 136, Ending.RESIDUAL))
                .flatMap(Layer::benchmarks)
                .toList();
    }

    /// A product of two square matrices, the second of which is transposed.
    static KernelBenchmark square(int size) {
        return benchmark("square", new Shape(size, size, size, false, true), Ending.NONE);
    }

    private static KernelBenchmark benchmark(String use, Shape shape, Ending ending) {
        long m = shape.m();
        long n = shape.n();
        long k = shape.k();
        String layout = (shape.transposeA() ? "t" : "n") + (shape.transposeB() ? "t" : "n");
        String epilogue = ending == Ending.NONE
                ? ""
                : ", " + ending.name().toLowerCase(Locale.ROOT).replace('_', ' ');
        return new KernelBenchmark(
                "matmul %s, %s %dx%dx%d%s".formatted(use, layout, m, n, k, epilogue),
                FAMILY,
                2.0 * m * n * k,
                2.0 * (m * k + k * n) + m * n * outputBytes(ending),
                (kernels, memory) -> {
                    Buffers buffers = Buffers.of(shape, ending, memory);
                    long workspace = MatMul.workspaceBytes(kernels.device(), shape);
                    DeviceMemory parts = workspace == 0 ? null : memory.output(workspace);
                    return new MatMul(kernels, shape, buffers.a, buffers.b, buffers.c, 1, buffers.epilogue, parts);
                },
                libraries(shape, ending),
                Map.of("op", "matmul", "layout", layout, "m", m, "n", n, "k", k, "epilogue", rivals(ending)));
    }

    /// cuBLAS where it has such an epilogue, and the kernels of warpgroups, which run on `sm_90` alone.
    private static Map<String, Setup> libraries(Shape shape, Ending ending) {
        Map<String, Setup> libraries = new LinkedHashMap<>();
        switch (ending) {
            case NONE, ACCUMULATE ->
                libraries.put("cuBLAS", (_, memory) -> {
                    Buffers buffers = Buffers.of(shape, ending, memory);
                    DeviceMemory workspace = memory.output(CuBlas.WORKSPACE_BYTES);
                    return new LibraryMatMul(shape, buffers.a, buffers.b, buffers.c, 1, buffers.epilogue, workspace);
                });
            case BIAS, GELU, GELU_GRADIENT, RESIDUAL -> {}
        }
        for (Tile tile : List.of(Tile.N256, Tile.N128)) {
            libraries.put("wgmma " + tile.n(), (kernels, memory) -> {
                Buffers buffers = Buffers.of(shape, ending, memory);
                Plan plan = Plan.choose(kernels.device(), tile, shape);
                long workspace = plan.workspaceBytes(shape.m(), shape.n());
                DeviceMemory parts = workspace == 0 ? null : memory.output(workspace);
                return new WarpgroupMatMul(
                        kernels, plan, shape, buffers.a, buffers.b, buffers.c, 1, buffers.epilogue, parts);
            });
        }
        return libraries;
    }

    private record Buffers(Matrix a, Matrix b, Matrix c, Epilogue epilogue) {
        static Buffers of(Shape shape, Ending ending, BenchmarkMemory memory) {
            long m = shape.m();
            long n = shape.n();
            long k = shape.k();
            Matrix a = new Matrix(memory.bf16(m * k, 1), (int) (shape.transposeA() ? m : k));
            Matrix b = new Matrix(memory.bf16(k * n, 1 / Math.sqrt(k)), (int) (shape.transposeB() ? k : n));
            Epilogue end = MatMulBenchmarks.epilogue(ending, memory, m, n);
            Matrix c = end instanceof Epilogue.StoreF32(Matrix addend)
                    ? addend
                    : new Matrix(memory.output(2 * m * n), (int) n);
            return new Buffers(a, b, c, end);
        }
    }

    /// What is written of an element, and read beside the product.
    private static int outputBytes(Ending ending) {
        return switch (ending) {
            case NONE, BIAS -> 2;
            case GELU, GELU_GRADIENT, RESIDUAL -> 4;
            case ACCUMULATE -> 8;
        };
    }

    private static Epilogue epilogue(Ending ending, BenchmarkMemory memory, long m, long n) {
        return switch (ending) {
            case NONE -> new Epilogue.StoreBf16(null, null);
            case BIAS -> new Epilogue.StoreBf16(memory.bf16(n, 1), null);
            case GELU -> new Epilogue.Gelu(memory.bf16(n, 1), new Matrix(memory.output(2 * m * n), (int) n));
            case GELU_GRADIENT -> new Epilogue.GeluGradient(new Matrix(memory.bf16(m * n, 1), (int) n));
            case RESIDUAL -> new Epilogue.StoreBf16(memory.bf16(n, 1), new Matrix(memory.bf16(m * n, 1), (int) n));
            case ACCUMULATE -> new Epilogue.StoreF32(new Matrix(memory.f32(m * n, 1), (int) n));
        };
    }

    /// What PyTorch is asked for: it has no product that accumulates in fp32.
    private static String rivals(Ending ending) {
        return switch (ending) {
            case NONE, ACCUMULATE -> "none";
            case BIAS -> "bias";
            case GELU -> "gelu";
            case GELU_GRADIENT -> "gelu_gradient";
            case RESIDUAL -> "residual";
        };
    }
}
