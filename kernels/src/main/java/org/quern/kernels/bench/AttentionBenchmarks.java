package org.quern.kernels.bench;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.quern.gpu.DeviceMemory;
import org.quern.kernels.bench.KernelBenchmark.Setup;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.Attention.Operands;
import org.quern.kernels.cuda.Attention.Shape;
import org.quern.kernels.cuda.CachedAttention;
import org.quern.kernels.cuda.FusedAttentionGradient;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.WarpgroupAttention;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;

/// Causal attention, forward and backward, and attention of one new token over a cache.
final class AttentionBenchmarks {
    private static final String FAMILY = "attention";
    /// Products of queries and keys, and of weights and values, at 2 operations a pair.
    private static final double FORWARD_FLOP = 4;
    /// Five products instead of two.
    static final double BACKWARD_FLOP = 10;

    private AttentionBenchmarks() {}

    static final List<AttentionTraining> TRAININGS = List.of(
            new AttentionTraining("gpt2-124m", new Shape(64, 1024, 12, 12, 64, 0)),
            // 16,384 tokens of 2048 columns, as FlashAttention is usually measured.
            new AttentionTraining("", new Shape(16, 1024, 32, 32, 64, 0)),
            new AttentionTraining("", new Shape(4, 4096, 32, 32, 64, 0)),
            new AttentionTraining("", new Shape(1, 16_384, 32, 32, 64, 0)),
            new AttentionTraining("", new Shape(16, 1024, 16, 16, 128, 0)),
            new AttentionTraining("", new Shape(4, 4096, 16, 16, 128, 0)),
            new AttentionTraining("", new Shape(1, 16_384, 16, 16, 128, 0)),
            new AttentionTraining("llama-8b", new Shape(1, 8192, 32, 8, 128, 0)));

    static List<KernelBenchmark> benchmarks() {
        return Stream.of(
                        TRAININGS.stream().flatMap(one -> training(one.use(), one.shape())),
                        Stream.of(
                                decoding("gpt2-124m", new Shape(64, 1, 12, 12, 64, 0), 1024),
                                decoding("llama-8b", new Shape(16, 1, 32, 8, 128, 0), 8192)))
                .flatMap(each -> each)
                .toList();
    }

    static List<KernelBenchmark> reduced() {
        return Stream.of(
                        training("", new Shape(1, 256, 2, 2, 64, 0)),
                        training("", new Shape(1, 256, 2, 1, 128, 0)),
                        Stream.of(decoding("", new Shape(2, 1, 4, 1, 128, 0), 300)))
                .flatMap(each -> each)
                .toList();
    }

    /// The forward and the backward pass.
    static Stream<KernelBenchmark> training(String use, Shape shape) {
        long rows = (long) shape.sequences() * shape.length();
        long out = rows * shape.heads() * shape.headDim();
        long fused = rows * (shape.heads() + 2 * shape.keyValueHeads()) * shape.headDim();
        long lse = rows * shape.heads();
        double pairs = rows * (shape.length() + 1) / 2.0;
        double work = pairs * shape.heads() * shape.headDim();
        AttentionTraining training = new AttentionTraining(use, shape);
        String sizes = training.name();
        Map<String, Object> question = Map.of(
                "batch", shape.sequences(),
                "length", shape.length(),
                "heads", shape.heads(),
                "kv_heads", shape.keyValueHeads(),
                "head_size", shape.headDim());
        return Stream.of(
                new KernelBenchmark(
                        "attention forward " + sizes,
                        FAMILY,
                        FORWARD_FLOP * work,
                        2.0 * (fused + out) + 4.0 * lse,
                        (kernels, memory) -> new Attention.Forward(kernels, operands(memory, shape)),
                        Map.of(
                                KernelBenchmark.WGMMA,
                                (kernels, memory) -> new WarpgroupAttention.Forward(kernels, operands(memory, shape))),
                        question("attention", question)),
                new KernelBenchmark(
                        training.backward(),
                        FAMILY,
                        training.backwardFlop(),
                        2.0 * (2 * fused + 2 * out) + 4.0 * lse,
                        (kernels, memory) -> gradient(
                                kernels,
                                memory,
                                shape,
                                Attention.Backward.workspaceBytes(shape),
                                Attention.Backward::new),
                        Map.of(
                                KernelBenchmark.WGMMA,
                                gradient(Gradient.TWO_KERNELS, shape),
                                KernelBenchmark.WGMMA_FUSED,
                                gradient(Gradient.FUSED, shape)),
                        question("attention_gradient", question)));
    }

    /// The backward pass by warpgroups.
    static Setup gradient(Gradient form, Shape shape) {
        return (kernels, memory) ->
                gradient(kernels, memory, shape, form.workspaceBytes(kernels.device(), shape), form::bind);
    }

    /// The fused one by a plan.
    static Setup gradient(FusedAttentionGradient.Plan plan, Shape shape) {
        return (kernels, memory) -> gradient(
                kernels,
                memory,
                shape,
                plan.workspaceBytes(shape),
                (library, operands, dOut, dQkv, workspace) ->
                        new FusedAttentionGradient(library, plan, operands, dOut, dQkv, workspace));
    }

    /// Makes a kernel of the backward pass.
    @FunctionalInterface
    interface Backward {
        GpuKernel bind(
                KernelLibrary library, Operands operands, DeviceMemory dOut, DeviceMemory dQkv, DeviceMemory workspace);
    }

    private static GpuKernel gradient(
            KernelLibrary kernels, BenchmarkMemory memory, Shape shape, long workspaceBytes, Backward kernel) {
        return GradientBuffers.of(kernels, memory, shape).bind(kernels, kernel, memory.output(workspaceBytes));
    }

    /// What the backward pass reads, made by a forward pass, and what it writes; from the same numbers always.
    record GradientBuffers(Operands operands, DeviceMemory dOut, DeviceMemory dQkv) {
        static GradientBuffers of(KernelLibrary kernels, BenchmarkMemory memory, Shape shape) {
            Operands operands = AttentionBenchmarks.operands(memory, shape);
            memory.run(new Attention.Forward(kernels, operands));
            return new GradientBuffers(
                    operands,
                    memory.bf16(operands.out().bytes() / Short.BYTES, 1),
                    memory.output(operands.qkv().bytes()));
        }

        GpuKernel bind(KernelLibrary kernels, Backward kernel, DeviceMemory workspace) {
            return kernel.bind(kernels, operands, dOut, dQkv, workspace);
        }
    }

    /// One document a sequence.
    private static Operands operands(BenchmarkMemory memory, Shape shape) {
        long rows = (long) shape.sequences() * shape.length();
        long out = rows * shape.heads() * shape.headDim();
        long fused = rows * (shape.heads() + 2 * shape.keyValueHeads()) * shape.headDim();
        return new Operands(
                shape,
                memory.bf16(fused, 1),
                memory.indices(rows, 1),
                memory.output(2 * out),
                memory.output(4 * rows * shape.heads()));
    }

    /// The last token that the cache has room for.
    private static KernelBenchmark decoding(String use, Shape shape, int capacity) {
        int heads = shape.heads();
        int dim = shape.headDim();
        long cache = (long) shape.sequences() * shape.keyValueHeads() * capacity * dim;
        long fused = (long) shape.sequences() * (heads + 2 * shape.keyValueHeads()) * dim;
        long out = (long) shape.sequences() * heads * dim;
        return new KernelBenchmark(
                "attention decode %s%d of %d tokens, %s heads of %d"
                        .formatted(use.isEmpty() ? "" : use + " ", shape.sequences(), capacity, heads(shape), dim),
                FAMILY,
                FORWARD_FLOP * shape.sequences() * capacity * heads * dim,
                2.0 * (2 * cache + fused + out),
                (kernels, memory) -> new CachedAttention(
                        kernels,
                        memory.bf16(fused, 1),
                        memory.bf16(cache, 1),
                        memory.bf16(cache, 1),
                        memory.ints(capacity - 1),
                        memory.output(2 * out),
                        memory.output(Math.max(1, CachedAttention.workspaceBytes(kernels.device(), shape, capacity))),
                        shape,
                        capacity),
                Map.of(),
                Map.of());
    }

    private static String heads(Shape shape) {
        return shape.heads() == shape.keyValueHeads()
                ? "" + shape.heads()
                : shape.heads() + "/" + shape.keyValueHeads();
    }

    private static Map<String, Object> question(String operation, Map<String, Object> sizes) {
        Map<String, Object> question = new LinkedHashMap<>();
        question.put("op", operation);
        question.putAll(sizes);
        return question;
    }
}
