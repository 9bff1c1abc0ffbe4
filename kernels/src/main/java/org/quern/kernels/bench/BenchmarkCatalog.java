package org.quern.kernels.bench;

import java.util.List;
import java.util.stream.Stream;
import org.quern.kernels.cuda.ProductPlans;

/// All that is timed.
public final class BenchmarkCatalog {
    private static final int LARGEST = 8192;

    private BenchmarkCatalog() {}

    /// Kernels on the sizes of training: GPT-2 124M and 1.5B, Llama 8B.
    ///
    /// @param plans of the products
    public static List<KernelBenchmark> benchmarks(ProductPlans plans) {
        return Stream.of(
                        MatMulBenchmarks.benchmarks(plans),
                        AttentionBenchmarks.benchmarks(),
                        StreamingBenchmarks.benchmarks(),
                        SamplingBenchmarks.benchmarks())
                .flatMap(List::stream)
                .toList();
    }

    /// Kernels on sizes that an emulator can take.
    public static List<KernelBenchmark> reduced() {
        return Stream.of(
                        MatMulBenchmarks.reduced(),
                        AttentionBenchmarks.reduced(),
                        StreamingBenchmarks.reduced(),
                        SamplingBenchmarks.reduced())
                .flatMap(List::stream)
                .toList();
    }

    /// The matrix products of training, GPT-2 124M's first, then squares.
    public static List<Product> products() {
        return MatMulBenchmarks.products();
    }

    /// Attention of training, GPT-2 124M's first.
    public static List<AttentionTraining> attentions() {
        return AttentionBenchmarks.TRAININGS;
    }

    /// A product large enough for the device's best.
    public static KernelBenchmark largestProduct(ProductPlans plans) {
        return MatMulBenchmarks.benchmark(MatMulBenchmarks.square(LARGEST), plans);
    }
}
