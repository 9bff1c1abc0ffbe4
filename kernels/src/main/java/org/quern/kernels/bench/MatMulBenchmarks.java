package org.quern.kernels.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.quern.gpu.CuBlas;
import org.quern.kernels.bench.KernelBenchmark.Setup;
import org.quern.kernels.bench.Product.Ending;
import org.quern.kernels.cuda.LibraryMatMul;
import org.quern.kernels.cuda.MatMul.Shape;
import org.quern.kernels.cuda.ProductPlans;

/// Matrix products of linear layers, forward and backward, and of squares.
final class MatMulBenchmarks {
    private static final String FAMILY = "matmul";
    /// The model whose products come first.
    private static final String FIRST = "gpt2-124m";

    /// A linear layer: outputs = inputs weights^T.
    record Layer(String name, int rows, int outputs, int inputs, Ending ending) {
        Stream<Product> products() {
            return Stream.of(
                    new Product(name + " forward", new Shape(rows, outputs, inputs, false, true), ending),
                    new Product(name + " dx", new Shape(rows, inputs, outputs, false, false), Ending.NONE),
                    new Product(name + " dw", new Shape(outputs, inputs, rows, true, false), Ending.ACCUMULATE));
        }
    }

    static final List<Layer> LAYERS = List.of(
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

    /// Those of training, by model, and squares; what says most first.
    static List<Product> products() {
        List<Product> products = new ArrayList<>();
        LAYERS.stream().filter(layer -> layer.name.startsWith(FIRST)).forEach(layer -> add(layer, products));
        products.add(new Product(FIRST + " down dx", new Shape(65_536, 3072, 768, false, false), Ending.GELU_GRADIENT));
        products.add(square(8192));
        products.add(square(4096));
        LAYERS.stream().filter(layer -> !layer.name.startsWith(FIRST)).forEach(layer -> add(layer, products));
        products.add(square(2048));
        products.add(square(1024));
        return List.copyOf(products);
    }

    private static void add(Layer layer, List<Product> products) {
        layer.products().forEach(products::add);
    }

    static List<KernelBenchmark> benchmarks(ProductPlans plans) {
        return products().stream().map(product -> benchmark(product, plans)).toList();
    }

    static List<KernelBenchmark> reduced() {
        return Stream.of(
                        new Layer("qkv", 256, 256, 128, Ending.BIAS),
                        new Layer("up", 256, 256, 128, Ending.GELU),
                        new Layer("odd", 129, 200, 136, Ending.RESIDUAL))
                .flatMap(Layer::products)
                .map(MatMulBenchmarks::benchmark)
                .toList();
    }

    /// A product of two square matrices, the second of which is transposed.
    static Product square(int size) {
        return new Product("square", new Shape(size, size, size, false, true), Ending.NONE);
    }

    static KernelBenchmark benchmark(Product product) {
        return benchmark(product, ProductPlans.MODELLED);
    }

    static KernelBenchmark benchmark(Product product, ProductPlans plans) {
        Shape shape = product.shape();
        return new KernelBenchmark(
                product.name(),
                FAMILY,
                product.flop(),
                product.bytes(),
                (kernels, memory) ->
                        product.by(plans.warps(kernels.device(), shape)).bind(kernels, memory),
                libraries(product, plans),
                Map.of(
                        "op",
                        "matmul",
                        "layout",
                        product.layout(),
                        "m",
                        (long) shape.m(),
                        "n",
                        (long) shape.n(),
                        "k",
                        (long) shape.k(),
                        "epilogue",
                        rivals(product.ending())));
    }

    /// cuBLAS where it has such an epilogue, and the kernels of warpgroups, which run on `sm_90` alone: of
    /// brain floats, and of floats of 8 bits.
    private static Map<String, Setup> libraries(Product product, ProductPlans plans) {
        Map<String, Setup> libraries = new LinkedHashMap<>();
        switch (product.ending()) {
            case NONE, ACCUMULATE ->
                libraries.put(
                        "cuBLAS",
                        (_, memory) -> new LibraryMatMul(product.gemm(memory), memory.output(CuBlas.WORKSPACE_BYTES)));
            case BIAS, GELU, GELU_GRADIENT, RESIDUAL -> {}
        }
        libraries.put(
                KernelBenchmark.WGMMA,
                (kernels, memory) -> product.by(plans.warpgroups(kernels.device(), product.shape()))
                        .bind(kernels, memory));
        libraries.put(
                KernelBenchmark.FP8,
                (kernels, memory) ->
                        product.by(plans.fp8(kernels.device(), product.shape())).bind(kernels, memory));
        return libraries;
    }

    /// What PyTorch is asked for.
    private static String rivals(Ending ending) {
        return switch (ending) {
            case NONE -> "none";
            case ACCUMULATE -> "accumulate";
            case BIAS -> "bias";
            case GELU -> "gelu";
            case GELU_GRADIENT -> "gelu_gradient";
            case RESIDUAL -> "residual";
        };
    }
}
