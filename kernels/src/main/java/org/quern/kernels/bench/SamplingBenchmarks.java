package org.quern.kernels.bench;

import java.util.List;
import java.util.Map;
import org.quern.kernels.cuda.Sampling;
import org.quern.kernels.cuda.Sampling.Settings;

/// The next tokens of a batch of sequences. The least that memory has to give is each logit once.
final class SamplingBenchmarks {
    private static final double TEMPERATURE = 0.8;

    private SamplingBenchmarks() {}

    static List<KernelBenchmark> benchmarks() {
        return of(64, 50_257, 50_304);
    }

    static List<KernelBenchmark> reduced() {
        return of(2, 50_257, 50_304);
    }

    private static List<KernelBenchmark> of(int rows, int vocabulary, int stride) {
        return List.of(
                likeliest(rows, vocabulary, stride),
                sample("sample", 0, 1, rows, vocabulary, stride),
                sample("sample top_k 50", 50, 1, rows, vocabulary, stride),
                sample("sample top_p 0.9", 0, 0.9, rows, vocabulary, stride));
    }

    private static KernelBenchmark likeliest(int rows, int vocabulary, int stride) {
        return benchmark(
                "argmax",
                rows,
                stride,
                (kernels, memory) -> Sampling.likeliest(
                        kernels,
                        memory.bf16((long) rows * stride, 3),
                        memory.output(4L * rows),
                        rows,
                        vocabulary,
                        stride),
                Map.of("op", "argmax", "rows", rows, "columns", stride));
    }

    private static KernelBenchmark sample(String name, int topK, double topP, int rows, int vocabulary, int stride) {
        return benchmark(
                name,
                rows,
                stride,
                (kernels, memory) -> Sampling.sample(
                        kernels,
                        new Settings(TEMPERATURE, topK, topP, 0, 1),
                        memory.bf16((long) rows * stride, 3),
                        memory.ints(0),
                        0,
                        memory.output(4L * rows),
                        rows,
                        vocabulary,
                        stride),
                Map.of(
                        "op",
                        "sample",
                        "rows",
                        rows,
                        "columns",
                        stride,
                        "temperature",
                        TEMPERATURE,
                        "top_k",
                        topK,
                        "top_p",
                        topP));
    }

    private static KernelBenchmark benchmark(
            String name, int rows, int stride, KernelBenchmark.Setup setup, Map<String, Object> question) {
        return new KernelBenchmark(
                "%s %dx%d".formatted(name, rows, stride),
                "sampling",
                0,
                2.0 * rows * stride,
                setup,
                Map.of(),
                question);
    }
}
