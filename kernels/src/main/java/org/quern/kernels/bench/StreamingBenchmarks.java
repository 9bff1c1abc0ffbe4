package org.quern.kernels.bench;

import java.util.List;
import java.util.Map;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.bench.KernelBenchmark.Setup;
import org.quern.kernels.cuda.Activation;
import org.quern.kernels.cuda.AdamW;
import org.quern.kernels.cuda.ColumnSum;
import org.quern.kernels.cuda.CrossEntropy;
import org.quern.kernels.cuda.ElementType;
import org.quern.kernels.cuda.Embedding;
import org.quern.kernels.cuda.Fp8Matrix;
import org.quern.kernels.cuda.Fp8Type;
import org.quern.kernels.cuda.LayerNorm;
import org.quern.kernels.cuda.Pointwise;
import org.quern.kernels.cuda.Quantize;
import org.quern.kernels.cuda.RmsNorm;
import org.quern.kernels.cuda.Rope;
import org.quern.kernels.cuda.Sum;
import org.quern.kernels.cuda.SwiGlu;

/// Kernels that memory bounds: their operations do not count, their bytes do. Workspaces do not count either.
final class StreamingBenchmarks {
    private static final double EPS = 1e-5;
    /// Multiprocessors of an H100.
    private static final int ALL = 132;

    private StreamingBenchmarks() {}

    static List<KernelBenchmark> benchmarks() {
        return List.of(
                layerNorm(65_536, 768),
                addLayerNorm(65_536, 768),
                layerNormBackward(65_536, 768),
                rmsNorm(8192, 4096),
                addRmsNorm(8192, 4096),
                rmsNormBackward(8192, 4096),
                activation("gelu", Activation.Function.GELU, 65_536 * 3072L),
                activationBackward("gelu", Activation.Function.GELU, 65_536 * 3072L),
                activation("relu2", Activation.Function.RELU_SQUARED, 65_536 * 3072L),
                activationBackward("relu2", Activation.Function.RELU_SQUARED, 65_536 * 3072L),
                swiGlu(8192, 14_336),
                swiGluBackward(8192, 14_336),
                rope(8192, 32, 8, 128),
                add(65_536 * 768L),
                columnSum(65_536, 2304),
                crossEntropy(8192, 50_257, 50_304),
                embedding(65_536, 50_304, 768),
                embeddingBackward(65_536, 50_304, 768),
                sumOfSquares(124_475_904),
                adamW(124_475_904));
    }

    /// What is enough to know what one multiprocessor of an H100 does.
    ///
    /// @param multiprocessors of the device that the sizes are for
    record Share(int multiprocessors, KernelBenchmark benchmark) {}

    /// The sizes of [#benchmarks] as one multiprocessor's share; whole, where blocks leave parts that are then
    /// added up.
    static List<Share> shares() {
        return List.of(
                new Share(1, layerNorm(496, 768)),
                new Share(1, addLayerNorm(496, 768)),
                new Share(ALL, layerNormBackward(65_536, 768)),
                new Share(1, rmsNorm(62, 4096)),
                new Share(1, addRmsNorm(62, 4096)),
                new Share(ALL, rmsNormBackward(8192, 4096)),
                new Share(1, activation("gelu", Activation.Function.GELU, 381_304)),
                new Share(1, activationBackward("gelu", Activation.Function.GELU, 381_304)),
                new Share(1, activation("relu2", Activation.Function.RELU_SQUARED, 381_304)),
                new Share(1, activationBackward("relu2", Activation.Function.RELU_SQUARED, 381_304)),
                new Share(1, swiGlu(31, 14_336)),
                new Share(1, swiGluBackward(31, 14_336)),
                new Share(1, rope(62, 32, 8, 128)),
                new Share(1, add(381_304)),
                new Share(ALL, columnSum(65_536, 2304)),
                new Share(1, crossEntropy(62, 50_257, 50_304)),
                new Share(1, embedding(496, 50_304, 768)),
                new Share(ALL, embeddingBackward(65_536, 50_304, 768)),
                new Share(1, sumOfSquares(943_000)),
                new Share(1, adamW(235_752)));
    }

    static List<KernelBenchmark> reduced() {
        return List.of(
                layerNorm(64, 768),
                addLayerNorm(64, 768),
                layerNormBackward(64, 768),
                rmsNorm(16, 4096),
                addRmsNorm(16, 4096),
                rmsNormBackward(16, 4096),
                activation("gelu", Activation.Function.GELU, 65_536),
                activationBackward("gelu", Activation.Function.GELU, 65_536),
                swiGlu(8, 14_336),
                swiGluBackward(8, 14_336),
                rope(16, 32, 8, 128),
                add(65_536),
                columnSum(256, 2304),
                crossEntropy(4, 50_257, 50_304),
                embedding(128, 1000, 768),
                embeddingBackward(128, 1000, 768),
                sumOfSquares(65_536),
                adamW(65_536));
    }

    /// Brain floats to floats of 8 bits, as they are and transposed. It runs on `sm_90` alone.
    static KernelBenchmark quantize(int rows, int columns) {
        long count = (long) rows * columns;
        return benchmark(
                "quantize",
                "quantize %dx%d".formatted(rows, columns),
                (Short.BYTES + 2.0) * count,
                (kernels, memory) -> Quantize.of(
                        kernels,
                        memory.bf16(count, 1),
                        rows,
                        columns,
                        Fp8Matrix.in(memory.output(Fp8Matrix.bytes(rows, columns)), Fp8Type.E4M3, rows, columns),
                        Fp8Matrix.in(memory.output(Fp8Matrix.bytes(columns, rows)), Fp8Type.E4M3, columns, rows)),
                Map.of());
    }

    private static KernelBenchmark benchmark(
            String family, String name, double bytes, Setup setup, Map<String, Object> question) {
        return new KernelBenchmark(name, family, 0, bytes, setup, Map.of(), question);
    }

    private static Map<String, Object> rows(String operation, int rows, int columns) {
        return Map.of("op", operation, "rows", rows, "columns", columns);
    }

    private static Map<String, Object> count(String operation, long count) {
        return Map.of("op", operation, "count", count);
    }

    private static KernelBenchmark layerNorm(int rows, int width) {
        long n = (long) rows * width;
        return benchmark(
                "norm",
                "layer_norm forward %dx%d".formatted(rows, width),
                4.0 * n + 8.0 * rows,
                (kernels, memory) -> LayerNorm.forward(
                        kernels,
                        memory.bf16(n, 1),
                        memory.bf16(width, 1),
                        memory.bf16(width, 1),
                        memory.output(2 * n),
                        memory.output(4L * rows),
                        memory.output(4L * rows),
                        rows,
                        width,
                        EPS),
                rows("layer_norm", rows, width));
    }

    private static KernelBenchmark addLayerNorm(int rows, int width) {
        long n = (long) rows * width;
        return benchmark(
                "norm",
                "add, layer_norm forward %dx%d".formatted(rows, width),
                8.0 * n + 8.0 * rows,
                (kernels, memory) -> LayerNorm.addForward(
                        kernels,
                        memory.bf16(n, 1),
                        memory.bf16(n, 1),
                        memory.output(2 * n),
                        memory.bf16(width, 1),
                        memory.bf16(width, 1),
                        memory.output(2 * n),
                        memory.output(4L * rows),
                        memory.output(4L * rows),
                        rows,
                        width,
                        EPS),
                rows("add_layer_norm", rows, width));
    }

    private static KernelBenchmark layerNormBackward(int rows, int width) {
        long n = (long) rows * width;
        return benchmark(
                "norm",
                "layer_norm backward %dx%d".formatted(rows, width),
                6.0 * n + 8.0 * rows,
                (kernels, memory) -> LayerNorm.backward(
                        kernels,
                        memory.bf16(n, 1),
                        memory.bf16(width, 1),
                        memory.f32(rows, 0.1),
                        memory.f32(rows, 1),
                        memory.bf16(n, 1),
                        memory.output(2 * n),
                        false,
                        memory.f32(width, 1),
                        true,
                        memory.f32(width, 1),
                        true,
                        memory.output(LayerNorm.workspaceBytes(
                                rows, width, kernels.device().multiprocessors())),
                        rows,
                        width),
                rows("layer_norm_gradient", rows, width));
    }

    private static KernelBenchmark rmsNorm(int rows, int width) {
        long n = (long) rows * width;
        return benchmark(
                "norm",
                "rms_norm forward %dx%d".formatted(rows, width),
                4.0 * n + 4.0 * rows,
                (kernels, memory) -> RmsNorm.forward(
                        kernels,
                        memory.bf16(n, 1),
                        memory.bf16(width, 1),
                        memory.output(2 * n),
                        memory.output(4L * rows),
                        rows,
                        width,
                        EPS),
                rows("rms_norm", rows, width));
    }

    private static KernelBenchmark addRmsNorm(int rows, int width) {
        long n = (long) rows * width;
        return benchmark(
                "norm",
                "add, rms_norm forward %dx%d".formatted(rows, width),
                8.0 * n + 4.0 * rows,
                (kernels, memory) -> RmsNorm.addForward(
                        kernels,
                        memory.bf16(n, 1),
                        memory.bf16(n, 1),
                        memory.output(2 * n),
                        memory.bf16(width, 1),
                        memory.output(2 * n),
                        memory.output(4L * rows),
                        rows,
                        width,
                        EPS),
                rows("add_rms_norm", rows, width));
    }

    private static KernelBenchmark rmsNormBackward(int rows, int width) {
        long n = (long) rows * width;
        return benchmark(
                "norm",
                "rms_norm backward %dx%d".formatted(rows, width),
                6.0 * n + 4.0 * rows,
                (kernels, memory) -> RmsNorm.backward(
                        kernels,
                        memory.bf16(n, 1),
                        memory.bf16(width, 1),
                        memory.f32(rows, 1),
                        memory.bf16(n, 1),
                        memory.output(2 * n),
                        false,
                        memory.f32(width, 1),
                        true,
                        memory.output(RmsNorm.workspaceBytes(
                                rows, width, kernels.device().multiprocessors())),
                        rows,
                        width),
                rows("rms_norm_gradient", rows, width));
    }

    private static KernelBenchmark activation(String name, Activation.Function function, long count) {
        return benchmark(
                "activation",
                "%s forward %d".formatted(name, count),
                4.0 * count,
                (kernels, memory) ->
                        Activation.forward(kernels, function, memory.bf16(count, 1), memory.output(2 * count), count),
                count(name, count));
    }

    private static KernelBenchmark activationBackward(String name, Activation.Function function, long count) {
        return benchmark(
                "activation",
                "%s backward %d".formatted(name, count),
                6.0 * count,
                (kernels, memory) -> Activation.backward(
                        kernels,
                        function,
                        memory.bf16(count, 1),
                        memory.bf16(count, 1),
                        memory.output(2 * count),
                        false,
                        count),
                count(name + "_gradient", count));
    }

    private static KernelBenchmark swiGlu(int rows, int width) {
        long n = (long) rows * width;
        return benchmark(
                "activation",
                "swiglu forward %dx%d".formatted(rows, width),
                6.0 * n,
                (kernels, memory) -> SwiGlu.forward(kernels, memory.bf16(2 * n, 1), memory.output(2 * n), rows, width),
                rows("swiglu", rows, width));
    }

    private static KernelBenchmark swiGluBackward(int rows, int width) {
        long n = (long) rows * width;
        return benchmark(
                "activation",
                "swiglu backward %dx%d".formatted(rows, width),
                10.0 * n,
                (kernels, memory) -> SwiGlu.backward(
                        kernels, memory.bf16(2 * n, 1), memory.bf16(n, 1), memory.output(4 * n), false, rows, width),
                rows("swiglu_gradient", rows, width));
    }

    private static KernelBenchmark rope(int rows, int heads, int keyValueHeads, int headDim) {
        long n = (long) rows * (heads + 2 * keyValueHeads) * headDim;
        return benchmark(
                "embedding",
                "rope %dx%d, %d/%d heads".formatted(rows, headDim, heads, keyValueHeads),
                4.0 * n,
                (kernels, memory) -> Rope.of(
                        kernels,
                        memory.bf16(n, 1),
                        memory.indices(rows, rows),
                        memory.f32((long) rows * headDim / 2, 1),
                        memory.f32((long) rows * headDim / 2, 1),
                        false,
                        memory.output(2 * n),
                        false,
                        rows,
                        heads,
                        keyValueHeads,
                        headDim,
                        rows),
                Map.of("op", "rope", "rows", rows, "heads", heads + 2 * keyValueHeads, "head_size", headDim));
    }

    private static KernelBenchmark add(long count) {
        return benchmark(
                "pointwise",
                "add %d".formatted(count),
                6.0 * count,
                (kernels, memory) -> Pointwise.linearCombination(
                        kernels,
                        1,
                        memory.bf16(count, 1),
                        1,
                        memory.bf16(count, 1),
                        memory.output(2 * count),
                        ElementType.BF16,
                        count),
                count("add", count));
    }

    private static KernelBenchmark columnSum(int rows, int width) {
        return benchmark(
                "sum",
                "column_sum %dx%d".formatted(rows, width),
                2.0 * rows * width,
                (kernels, memory) -> ColumnSum.of(
                        kernels,
                        memory.bf16((long) rows * width, 1),
                        memory.f32(width, 1),
                        true,
                        memory.output(ColumnSum.workspaceBytes(
                                rows, width, kernels.device().multiprocessors())),
                        rows,
                        width),
                rows("column_sum", rows, width));
    }

    /// Losses, and gradients in place of the logits.
    private static KernelBenchmark crossEntropy(int rows, int vocabulary, int stride) {
        long n = (long) rows * stride;
        return benchmark(
                "cross-entropy",
                "cross_entropy %dx%d".formatted(rows, stride),
                4.0 * n,
                (kernels, memory) -> CrossEntropy.fused(
                        kernels,
                        memory.bf16(n, 1),
                        memory.indices(rows, vocabulary),
                        memory.output(4L * rows),
                        memory.output(4L * rows),
                        memory.floats(1f / rows),
                        rows,
                        vocabulary,
                        stride),
                rows("cross_entropy", rows, stride));
    }

    /// How many different numbers so many draws give.
    private static double distinct(int draws, int bound) {
        return bound * (1 - Math.pow(1 - 1.0 / bound, draws));
    }

    private static KernelBenchmark embedding(int rows, int vocabulary, int width) {
        return benchmark(
                "embedding",
                "embedding forward %dx%d of %d".formatted(rows, width, vocabulary),
                2.0 * width * (rows + distinct(rows, vocabulary)) + 4.0 * rows,
                (kernels, memory) -> Embedding.forward(
                        kernels,
                        memory.indices(rows, vocabulary),
                        memory.bf16((long) vocabulary * width, 1),
                        memory.output(2L * rows * width),
                        rows,
                        vocabulary,
                        width),
                Map.of("op", "embedding", "rows", rows, "vocabulary", vocabulary, "columns", width));
    }

    private static KernelBenchmark embeddingBackward(int rows, int vocabulary, int width) {
        return benchmark(
                "embedding",
                "embedding backward %dx%d of %d".formatted(rows, width, vocabulary),
                2.0 * width * rows + 8.0 * width * distinct(rows, vocabulary) + 4.0 * rows,
                (kernels, memory) -> {
                    DeviceMemory workspace = memory.output(Embedding.workspaceBytes(rows, width));
                    return Embedding.backward(
                            kernels,
                            memory.indices(rows, vocabulary),
                            memory.bf16((long) rows * width, 1),
                            memory.f32((long) vocabulary * width, 1),
                            true,
                            workspace,
                            rows,
                            vocabulary,
                            width);
                },
                Map.of("op", "embedding_gradient", "rows", rows, "vocabulary", vocabulary, "columns", width));
    }

    private static KernelBenchmark sumOfSquares(long count) {
        return benchmark(
                "sum",
                "sum_of_squares %d".formatted(count),
                4.0 * count,
                (kernels, memory) -> Sum.ofSquares(
                        kernels,
                        memory.f32(count, 1),
                        ElementType.F32,
                        memory.output(Float.BYTES),
                        memory.output(Sum.workspaceBytes(count, kernels.device().multiprocessors())),
                        count),
                count("sum_of_squares", count));
    }

    /// fp32 weights with a bf16 copy, fp32 gradients and moments.
    private static KernelBenchmark adamW(long count) {
        return benchmark(
                "optimizer",
                "adamw %d".formatted(count),
                30.0 * count,
                (kernels, memory) -> AdamW.of(
                        kernels,
                        new AdamW.Tensors(
                                AdamW.Weights.MASTER,
                                memory.f32(count, 1),
                                memory.output(2 * count),
                                ElementType.F32,
                                memory.f32(count, 1),
                                ElementType.F32,
                                memory.f32(count, 1),
                                memory.squares(count, 1)),
                        memory.floats(1, 1),
                        memory.floats(1e-4f, 0.1f, 0.05f),
                        new AdamW.Settings(0.9, 0.95, 1e-8, 0.1),
                        null,
                        count),
                count("adamw", count));
    }
}
