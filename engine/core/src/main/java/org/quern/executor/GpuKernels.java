package org.quern.executor;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuStream;
import org.quern.graph.DType;
import org.quern.graph.EightBits;
import org.quern.graph.MixedPrecision;
import org.quern.graph.Node;
import org.quern.graph.Op;
import org.quern.graph.Value;
import org.quern.kernels.cuda.Activation;
import org.quern.kernels.cuda.AdamW;
import org.quern.kernels.cuda.AddBias;
import org.quern.kernels.cuda.Attention;
import org.quern.kernels.cuda.CachedAttention;
import org.quern.kernels.cuda.ClipFactor;
import org.quern.kernels.cuda.ColumnSum;
import org.quern.kernels.cuda.ElementType;
import org.quern.kernels.cuda.Embedding;
import org.quern.kernels.cuda.Fp8MatMul;
import org.quern.kernels.cuda.Fp8Matrix;
import org.quern.kernels.cuda.Fp8Type;
import org.quern.kernels.cuda.Gemm;
import org.quern.kernels.cuda.GpuKernel;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.kernels.cuda.LayerNorm;
import org.quern.kernels.cuda.MatMul;
import org.quern.kernels.cuda.MatMul.Epilogue;
import org.quern.kernels.cuda.MatMul.Matrix;
import org.quern.kernels.cuda.Muon;
import org.quern.kernels.cuda.Pointwise;
import org.quern.kernels.cuda.Quantize;
import org.quern.kernels.cuda.RmsNorm;
import org.quern.kernels.cuda.Rope;
import org.quern.kernels.cuda.Sum;
import org.quern.kernels.cuda.SwiGlu;

/// Turns the nodes of a lowered graph into GPU kernels that are bound to their tensors' memory.
final class GpuKernels {
    private static final int ALIGNMENT = 256;

    private final KernelLibrary library;
    private final MatMuls matMuls;
    private final GpuTensorStore tensors;
    private final GpuTables tables;
    private final DeviceMemory scratch;
    private final Function<Value, DeviceMemory> memory;

    /// @param scratch as much as [#scratchBytes] says; all kernels share it, since one runs at a time
    /// @param memory of each value
    GpuKernels(
            KernelLibrary library,
            MatMuls matMuls,
            GpuTensorStore tensors,
            GpuTables tables,
            DeviceMemory scratch,
            Function<Value, DeviceMemory> memory) {
        this.library = library;
        this.matMuls = matMuls;
        this.tensors = tensors;
        this.tables = tables;
        this.scratch = scratch;
        this.memory = memory;
    }

    /// A kernel and what it does.
    ///
    /// @param nodes it computes
    record Bound(Operation operation, List<Node> nodes, GpuKernel kernel) {
        void launch(GpuStream stream) {
            stream.named(name(), () -> kernel.launch(stream));
        }

        /// Operation, tensors and shapes.
        String name() {
            return nodes.stream().map(Node::toString).collect(Collectors.joining(", then "));
        }

        /// The same, and another kernel behind it.
        Bound then(GpuKernel after) {
            return new Bound(operation, nodes, stream -> {
                kernel.launch(stream);
                after.launch(stream);
            });
        }

        boolean writes(String state) {
            return nodes.stream()
                    .flatMap(node -> node.outputs().stream())
                    .anyMatch(output ->
                            output.value().state() && output.value().name().equals(state));
        }
    }

    /// The kernels of a program, in order.
    List<Bound> bind(List<Node> nodes) {
        Epilogues epilogues = new Epilogues(nodes, memory, matMuls.hasEpilogues());
        List<Bound> kernels = new ArrayList<>();
        for (int i = 0; i < nodes.size(); i++) {
            if (!epilogues.isPartOfProduct(i)) {
                Epilogues.Tail tail = epilogues.of(i);
                List<Node> computed = tail == null ? List.of(nodes.get(i)) : tail.nodes();
                kernels.add(new Bound(operation(nodes.get(i), tail), computed, bind(nodes.get(i), tail)));
            }
        }
        keepQuantized(kernels);
        return kernels;
    }

    /// Behind the last kernel that changes a parameter come its copies in floats of 8 bits.
    private void keepQuantized(List<Bound> kernels) {
        Set<String> seen = new HashSet<>();
        for (int i = kernels.size() - 1; i >= 0; i--) {
            for (Node node : kernels.get(i).nodes) {
                for (Node.Output output : node.outputs()) {
                    String name = output.value().name();
                    if (output.value().state() && seen.add(name)) {
                        Optional<GpuKernel> quantize = tensors.quantize(name);
                        if (quantize.isPresent()) {
                            kernels.set(i, kernels.get(i).then(quantize.get()));
                        }
                    }
                }
            }
        }
    }

    private static Operation operation(Node node, Epilogues.Tail tail) {
        return tail == null
                ? Operation.of(List.of(node), Set.of(), MixedPrecision::bytes)
                : Operation.of(
                        tail.nodes(),
                        tail.kind() == Epilogues.Kind.GELU ? Set.of(tail.extra()) : Set.of(),
                        MixedPrecision::bytes);
    }

    private GpuKernel bind(Node node, Epilogues.Tail tail) {
        return switch (node.op()) {
            case Op.MatMul op -> product(node, op, tail);
            case Op.QuantizedMatMul op -> product(node, op, tail);
            case Op.Quantize(DType _, List<Op.Quantize.Copy> copies) -> {
                Fp8Matrix[] plainAndTransposed = new Fp8Matrix[2];
                for (int i = 0; i < copies.size(); i++) {
                    boolean transposed = copies.get(i).transposed();
                    plainAndTransposed[transposed ? 1 : 0] = fp8(
                            node.output(i),
                            transposed ? columns(node, 0) : rows(node, 0),
                            transposed ? rows(node, 0) : columns(node, 0));
                }
                yield Quantize.of(
                        library,
                        in(node, 0),
                        rows(node, 0),
                        columns(node, 0),
                        plainAndTransposed[0],
                        plainAndTransposed[1]);
            }
            case Op.AddBias() ->
                AddBias.of(library, in(node, 0), in(node, 1), out(node, 0), rows(node, 0), columns(node, 0));
            case Op.ColumnSum() ->
                ColumnSum.of(
                        library,
                        in(node, 0),
                        out(node, 0),
                        node.accumulates(0),
                        scratch,
                        rows(node, 0),
                        columns(node, 0));
            case Op.Add() ->
                Pointwise.linearCombination(
                        library, 1, in(node, 0), 1, in(node, 1), out(node, 0), ElementType.BF16, size(node));
            case Op.Embedding() ->
                Embedding.forward(
                        library,
                        in(node, 0),
                        in(node, 1),
                        out(node, 0),
                        node.output(0).shape().rows(),
                        rows(node, 1),
                        columns(node, 1));
            case Op.EmbeddingGradient(int rows) ->
                Embedding.backward(
                        library,
                        in(node, 0),
                        in(node, 1),
                        out(node, 0),
                        node.accumulates(0),
                        scratch,
                        rows(node, 1),
                        rows,
                        columns(node, 1));
            case Op.RmsNorm(double eps) ->
                RmsNorm.forward(
                        library,
                        in(node, 0),
                        in(node, 1),
                        out(node, 0),
                        out(node, 1),
                        rows(node, 0),
                        columns(node, 0),
                        eps);
            case Op.RmsNormGradient() ->
                RmsNorm.backward(
                        library,
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        in(node, 3),
                        out(node, 0),
                        node.accumulates(0),
                        out(node, 1),
                        node.accumulates(1),
                        scratch,
                        rows(node, 0),
                        columns(node, 0));
            case Op.LayerNorm(double eps) ->
                LayerNorm.forward(
                        library,
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        out(node, 0),
                        out(node, 1),
                        out(node, 2),
                        rows(node, 0),
                        columns(node, 0),
                        eps);
            case Op.LayerNormGradient() ->
                LayerNorm.backward(
                        library,
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        in(node, 3),
                        in(node, 4),
                        out(node, 0),
                        node.accumulates(0),
                        out(node, 1),
                        node.accumulates(1),
                        out(node, 2),
                        node.accumulates(2),
                        scratch,
                        rows(node, 0),
                        columns(node, 0));
            case Op.Rope(Op.Heads heads, Op.RopeFrequencies frequencies, boolean inverse) -> {
                GpuTables.Rope table = tables.rope(frequencies);
                yield Rope.of(
                        library,
                        in(node, 0),
                        in(node, 1),
                        table.cos(),
                        table.sin(),
                        inverse,
                        out(node, 0),
                        node.accumulates(0),
                        rows(node, 0),
                        heads.query(),
                        heads.keyValue(),
                        heads.dim(),
                        frequencies.positions());
            }
            case Op.Attention op ->
                matMuls.attention(
                        library,
                        new Attention.Operands(shape(node, op), in(node, 0), in(node, 1), out(node, 0), out(node, 1)));
            case Op.AttentionGradient(Op.Attention op) ->
                matMuls.attentionGradient(
                        library,
                        new Attention.Operands(shape(node, op), in(node, 0), in(node, 1), in(node, 2), in(node, 3)),
                        in(node, 4),
                        written(node),
                        scratch);
            case Op.CachedAttention op ->
                new CachedAttention(
                        library,
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        in(node, 3),
                        out(node, 0),
                        scratch,
                        shape(node, op),
                        capacity(node));
            case Op.SwiGlu() -> SwiGlu.forward(library, in(node, 0), out(node, 0), rows(node, 0), columns(node, 0) / 2);
            case Op.SwiGluGradient() ->
                SwiGlu.backward(
                        library,
                        in(node, 0),
                        in(node, 1),
                        out(node, 0),
                        node.accumulates(0),
                        rows(node, 0),
                        columns(node, 0) / 2);
            case Op.Activation(Op.Function function) ->
                Activation.forward(library, function(function), in(node, 0), out(node, 0), size(node));
            case Op.ActivationGradient(Op.Function function) ->
                Activation.backward(
                        library,
                        function(function),
                        in(node, 0),
                        in(node, 1),
                        out(node, 0),
                        node.accumulates(0),
                        size(node));
            case Op.LinearCrossEntropy(int rowsAtOnce) ->
                new GpuLoss(library, matMuls, this, node, rowsAtOnce, scratch);
            case Op.LinearCrossEntropyGradient(int rowsAtOnce) ->
                new GpuLoss(library, matMuls, this, node, rowsAtOnce, scratch);
            case Op.SumOfSquares() ->
                Sum.ofSquares(
                        library,
                        in(node, 0),
                        type(node.input(0)),
                        out(node, 0),
                        scratch,
                        node.input(0).shape().size());
            case Op.ClipFactor(double maxNorm) ->
                ClipFactor.of(library, node.inputs().stream().map(memory).toList(), out(node, 0), maxNorm);
            case Op.AdamW op -> adamW(node, op);
            case Op.NesterovMomentum(double momentum) ->
                Muon.momentum(
                        library,
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        out(node, 0),
                        type(node.output(0)),
                        size(node),
                        momentum);
            case Op.Normalize(double eps) ->
                Pointwise.normalize(library, in(node, 0), out(node, 0), ElementType.BF16, scratch, size(node), eps);
            case Op.ApplyUpdate(int fromRow, double scale, double weightDecay) ->
                applyUpdate(node, fromRow, scale, weightDecay);
            case Op.LinearCombination(double a, double b) ->
                Pointwise.linearCombination(
                        library,
                        (float) a,
                        in(node, 0),
                        (float) b,
                        in(node, 1),
                        out(node, 0),
                        ElementType.BF16,
                        size(node));
            case Op.Rows(int from, int count) -> {
                long rowBytes = (long) columns(node, 0) * type(node.input(0)).bytes();
                DeviceMemory rows = in(node, 0).slice(from * rowBytes, count * rowBytes);
                yield Pointwise.copy(library, rows, out(node, 0), type(node.output(0)), size(node));
            }
            case Op.Cast() ->
                node.accumulates(0)
                        ? Pointwise.accumulate(
                                library,
                                in(node, 0),
                                type(node.input(0)),
                                out(node, 0),
                                type(node.output(0)),
                                size(node))
                        : Pointwise.cast(
                                library,
                                in(node, 0),
                                type(node.input(0)),
                                out(node, 0),
                                type(node.output(0)),
                                size(node));
        };
    }

    // ---------------------------------------------------------------- kernels of several parts

    private GpuKernel product(Node node, Op.MatMul op, Epilogues.Tail tail) {
        return matMuls.of(
                library,
                new Gemm(
                        shape(node, op),
                        matrix(node.input(0), in(node, 0)),
                        matrix(node.input(1), in(node, 1)),
                        result(tail),
                        epilogue(node, tail)),
                scratch);
    }

    private GpuKernel product(Node node, Op.QuantizedMatMul op, Epilogues.Tail tail) {
        return Fp8MatMul.of(
                library,
                plan(library.device(), op),
                op.m(),
                op.n(),
                op.k(),
                operand(node, op, 0, op.m()),
                operand(node, op, 1, op.n()),
                result(tail),
                1,
                epilogue(node, tail),
                scratch);
    }

    private static Fp8MatMul.Plan plan(DeviceProperties device, Op.QuantizedMatMul op) {
        Op.MatMul product = op.product();
        return TunedPlans.of(device)
                .fp8(device, new MatMul.Shape(op.m(), op.n(), op.k(), product.transposeA(), product.transposeB()));
    }

    private Fp8Matrix operand(Node node, Op.QuantizedMatMul op, int index, int rows) {
        Value input = node.input(index);
        return input.state()
                ? tensors.quantized(input.name(), EightBits.isTransposed(op.product(), index))
                : fp8(input, rows, op.k());
    }

    private Fp8Matrix fp8(Value value, int rows, int k) {
        Fp8Type type = value.type() == DType.E5M2 ? Fp8Type.E5M2 : Fp8Type.E4M3;
        return Fp8Matrix.in(memory.apply(value), type, rows, k);
    }

    private Matrix result(Epilogues.Tail tail) {
        return matrix(tail.output(), memory.apply(tail.output()));
    }

    private Epilogue epilogue(Node node, Epilogues.Tail tail) {
        DeviceMemory bias = tail.bias() == null ? null : workingCopy(tail.bias());
        return switch (tail.kind()) {
            case STORE -> store(node, result(tail), bias);
            case RESIDUAL -> new Epilogue.StoreBf16(bias, matrix(tail.extra(), memory.apply(tail.extra())));
            case GELU -> new Epilogue.Gelu(bias, matrix(tail.extra(), memory.apply(tail.extra())));
            case GELU_GRADIENT -> new Epilogue.GeluGradient(matrix(tail.extra(), memory.apply(tail.extra())));
        };
    }

    private static Epilogue store(Node node, Matrix c, DeviceMemory bias) {
        Matrix addend = node.accumulates(0) ? c : null;
        return node.output(0).type() == DType.F32
                ? new Epilogue.StoreF32(addend)
                : new Epilogue.StoreBf16(bias, addend);
    }

    private GpuKernel adamW(Node node, Op.AdamW op) {
        DeviceMemory copy = tensors.workingCopy(node.input(0).name()).orElse(null);
        return AdamW.of(
                library,
                new AdamW.Tensors(
                        copy == null ? AdamW.Weights.F32 : AdamW.Weights.MASTER,
                        in(node, 0),
                        copy,
                        type(node.input(1)),
                        in(node, 1),
                        type(node.input(2)),
                        in(node, 2),
                        in(node, 3)),
                in(node, 4),
                in(node, 5),
                new AdamW.Settings(op.beta1(), op.beta2(), op.eps(), op.weightDecay()),
                op.rounding()
                        .map(rounding -> new Pointwise.Rounding(rounding.seed(), rounding.tensor(), in(node, 6)))
                        .orElse(null),
                size(node));
    }

    private GpuKernel applyUpdate(Node node, int fromRow, double scale, double weightDecay) {
        long count = node.input(1).shape().size();
        long from = (long) fromRow * columns(node, 0);
        return Muon.apply(
                library,
                in(node, 0).slice(from * Float.BYTES, count * Float.BYTES),
                tensors.workingCopy(node.input(0).name())
                        .map(copy -> copy.slice(from * Short.BYTES, count * Short.BYTES))
                        .orElse(null),
                in(node, 1),
                type(node.input(1)),
                in(node, 2),
                count,
                scale,
                weightDecay);
    }

    // ---------------------------------------------------------------- scratch

    /// The scratch that the kernels of these nodes need on a device.
    static long scratchBytes(List<Node> nodes, DeviceProperties device, MatMuls matMuls) {
        return nodes.stream()
                .mapToLong(node -> scratchBytes(node, device, matMuls))
                .max()
                .orElse(0);
    }

    private static long scratchBytes(Node node, DeviceProperties device, MatMuls matMuls) {
        int multiprocessors = device.multiprocessors();
        return switch (node.op()) {
            case Op.MatMul op -> matMuls.workspaceBytes(device, shape(node, op));
            case Op.QuantizedMatMul op -> plan(device, op).workspaceBytes(op.m(), op.n());
            case Op.ColumnSum() -> ColumnSum.workspaceBytes(rows(node, 0), columns(node, 0), multiprocessors);
            case Op.EmbeddingGradient _ -> Embedding.workspaceBytes(rows(node, 1), columns(node, 1));
            case Op.RmsNormGradient() -> RmsNorm.workspaceBytes(rows(node, 0), columns(node, 0), multiprocessors);
            case Op.LayerNormGradient() -> LayerNorm.workspaceBytes(rows(node, 0), columns(node, 0), multiprocessors);
            case Op.AttentionGradient(Op.Attention op) -> matMuls.attentionWorkspaceBytes(device, shape(node, op));
            case Op.CachedAttention op -> CachedAttention.workspaceBytes(device, shape(node, op), capacity(node));
            case Op.LinearCrossEntropy _, Op.LinearCrossEntropyGradient _ ->
                GpuLoss.scratchBytes(node, device, matMuls);
            case Op.SumOfSquares() -> Sum.workspaceBytes(node.input(0).shape().size(), multiprocessors);
            case Op.Normalize _ -> Pointwise.normalizeWorkspaceBytes(size(node), multiprocessors);
            case Op.Quantize _,
                    Op.AddBias _,
                    Op.Add _,
                    Op.Embedding _,
                    Op.RmsNorm _,
                    Op.LayerNorm _,
                    Op.Rope _,
                    Op.Attention _,
                    Op.SwiGlu _,
                    Op.SwiGluGradient _,
                    Op.Activation _,
                    Op.ActivationGradient _,
                    Op.ClipFactor _,
                    Op.AdamW _,
                    Op.NesterovMomentum _,
                    Op.ApplyUpdate _,
                    Op.LinearCombination _,
                    Op.Rows _,
                    Op.Cast _ -> 0;
        };
    }

    /// The next multiple of what any kernel's memory may begin at.
    static long align(long bytes) {
        return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
    }

    // ---------------------------------------------------------------- shapes and memory

    private static MatMul.Shape shape(Node node, Op.MatMul op) {
        int inner = op.transposeA() ? rows(node, 0) : columns(node, 0);
        return new MatMul.Shape(
                node.output(0).shape().rows(),
                node.output(0).shape().columns(),
                inner,
                op.transposeA(),
                op.transposeB());
    }

    private static Attention.Shape shape(Node node, Op.Attention op) {
        return shape(node, op.heads(), op.length(), op.window());
    }

    private static Attention.Shape shape(Node node, Op.CachedAttention op) {
        return shape(node, op.heads(), op.length(), op.window());
    }

    private static Attention.Shape shape(Node node, Op.Heads heads, int length, int window) {
        return new Attention.Shape(
                rows(node, 0) / length, length, heads.query(), heads.keyValue(), heads.dim(), window);
    }

    private static int capacity(Node node) {
        return node.input(1).shape().dim(2);
    }

    private static Activation.Function function(Op.Function function) {
        return switch (function) {
            case GELU_TANH -> Activation.Function.GELU;
            case RELU_SQUARED -> Activation.Function.RELU_SQUARED;
        };
    }

    static ElementType type(Value value) {
        return switch (value.type()) {
            case F32 -> ElementType.F32;
            case BF16 -> ElementType.BF16;
            case I32, E4M3, E5M2 -> throw new IllegalArgumentException("no kernel takes %s".formatted(value.type()));
        };
    }

    static Matrix matrix(Value value, DeviceMemory memory) {
        return new Matrix(memory, value.shape().columns());
    }

    /// The memory that an operation reads: where it takes bf16, a parameter's working copy.
    DeviceMemory in(Node node, int index) {
        Value input = node.input(index);
        return MixedPrecision.readsBf16(node.op(), index) ? workingCopy(input) : memory.apply(input);
    }

    private DeviceMemory workingCopy(Value value) {
        return value.state() && value.type() == DType.F32
                ? tensors.workingCopy(value.name()).orElseThrow()
                : memory.apply(value);
    }

    DeviceMemory out(Node node, int index) {
        return memory.apply(node.output(index));
    }

    /// The first output of an operation whose kernel cannot add to what is there.
    private DeviceMemory written(Node node) {
        if (node.accumulates(0)) {
            throw new GpuException(
                    "%s cannot add to a gradient on a GPU: its input has one reader only".formatted(node));
        }
        return out(node, 0);
    }

    private static int rows(Node node, int input) {
        return node.input(input).shape().rows();
    }

    private static int columns(Node node, int input) {
        return node.input(input).shape().columns();
    }

    private static long size(Node node) {
        return node.output(0).shape().size();
    }
}
