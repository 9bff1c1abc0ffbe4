package org.quern.executor;

import java.lang.foreign.MemorySegment;
import java.util.function.Function;
import org.quern.graph.Node;
import org.quern.graph.Op;
import org.quern.graph.Shape;
import org.quern.graph.Value;
import org.quern.kernels.cpu.AdamW;
import org.quern.kernels.cpu.AdamWBf16Moments;
import org.quern.kernels.cpu.Add;
import org.quern.kernels.cpu.AddBias;
import org.quern.kernels.cpu.ApplyUpdate;
import org.quern.kernels.cpu.Attention;
import org.quern.kernels.cpu.CachedAttention;
import org.quern.kernels.cpu.ClipFactor;
import org.quern.kernels.cpu.ColumnSum;
import org.quern.kernels.cpu.Copy;
import org.quern.kernels.cpu.Embedding;
import org.quern.kernels.cpu.Gelu;
import org.quern.kernels.cpu.Kernel;
import org.quern.kernels.cpu.LayerNorm;
import org.quern.kernels.cpu.LinearCombination;
import org.quern.kernels.cpu.LinearCrossEntropy;
import org.quern.kernels.cpu.MatMul;
import org.quern.kernels.cpu.NesterovMomentum;
import org.quern.kernels.cpu.Normalize;
import org.quern.kernels.cpu.ReluSquared;
import org.quern.kernels.cpu.RmsNorm;
import org.quern.kernels.cpu.Rope;
import org.quern.kernels.cpu.SumOfSquares;
import org.quern.kernels.cpu.SwiGlu;

/// Turns nodes into CPU kernels that are bound to their tensors' memory.
final class CpuKernels {
    private final CpuWorkspace workspace;
    private final Function<Value, MemorySegment> memory;

    CpuKernels(CpuWorkspace workspace, Function<Value, MemorySegment> memory) {
        this.workspace = workspace;
        this.memory = memory;
    }

    Kernel bind(Node node) {
        return switch (node.op()) {
            case Op.MatMul op -> matMul(node, op, null, node.output(0));
            case Op.AddBias() -> new AddBias(in(node, 0), in(node, 1), out(node, 0), rows(node, 0), columns(node, 0));
            case Op.ColumnSum() ->
                new ColumnSum(
                        in(node, 0),
                        out(node, 0),
                        node.accumulates(0),
                        workspace.scratch(ColumnSum.workspaceBytes(rows(node, 0), columns(node, 0))),
                        rows(node, 0),
                        columns(node, 0));
            case Op.Add() -> new Add(in(node, 0), in(node, 1), out(node, 0), size(node));
            case Op.Embedding() ->
                new Embedding.Forward(
                        in(node, 0),
                        in(node, 1),
                        out(node, 0),
                        node.output(0).shape().rows(),
                        rows(node, 1),
                        columns(node, 1));
            case Op.EmbeddingGradient(int rows) ->
                new Embedding.Backward(
                        in(node, 0),
                        in(node, 1),
                        out(node, 0),
                        node.accumulates(0),
                        rows(node, 1),
                        rows,
                        columns(node, 1));
            case Op.RmsNorm(double eps) ->
                new RmsNorm.Forward(
                        in(node, 0), in(node, 1), out(node, 0), out(node, 1), rows(node, 0), columns(node, 0), eps);
            case Op.RmsNormGradient() ->
                new RmsNorm.Backward(
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        in(node, 3),
                        out(node, 0),
                        node.accumulates(0),
                        out(node, 1),
                        node.accumulates(1),
                        workspace.scratch(RmsNorm.Backward.workspaceBytes(rows(node, 0), columns(node, 0))),
                        rows(node, 0),
                        columns(node, 0));
            case Op.LayerNorm(double eps) ->
                new LayerNorm.Forward(
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
                new LayerNorm.Backward(
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
                        workspace.scratch(LayerNorm.Backward.workspaceBytes(rows(node, 0), columns(node, 0))),
                        rows(node, 0),
                        columns(node, 0));
            case Op.Rope(Op.Heads heads, Op.RopeFrequencies frequencies, boolean inverse) -> {
                CpuWorkspace.RopeTable table = workspace.ropeTable(frequencies);
                yield new Rope(
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
            case Op.Attention op -> {
                Attention.Shape shape = attentionShape(node, op.heads(), op.length(), op.window());
                yield new Attention.Forward(
                        in(node, 0),
                        in(node, 1),
                        out(node, 0),
                        out(node, 1),
                        workspace.scratch(Attention.Forward.workspaceBytes(shape)),
                        shape);
            }
            case Op.AttentionGradient(Op.Attention op) -> {
                Attention.Shape shape = attentionShape(node, op.heads(), op.length(), op.window());
                yield new Attention.Backward(
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        in(node, 3),
                        in(node, 4),
                        out(node, 0),
                        node.accumulates(0),
                        workspace.scratch(Attention.Backward.workspaceBytes(shape)),
                        shape);
            }
            case Op.CachedAttention op -> {
                Attention.Shape shape = attentionShape(node, op.heads(), op.length(), op.window());
                int capacity = node.input(1).shape().dim(2);
                yield new CachedAttention(
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        in(node, 3),
                        out(node, 0),
                        workspace.scratch(CachedAttention.workspaceBytes(shape, capacity)),
                        shape,
                        capacity);
            }
            case Op.SwiGlu() -> new SwiGlu.Forward(in(node, 0), out(node, 0), rows(node, 0), columns(node, 0) / 2);
            case Op.SwiGluGradient() ->
                new SwiGlu.Backward(
                        in(node, 0),
                        in(node, 1),
                        out(node, 0),
                        node.accumulates(0),
                        rows(node, 0),
                        columns(node, 0) / 2);
            case Op.Activation(Op.Function function) ->
                switch (function) {
                    case GELU_TANH -> new Gelu.Forward(in(node, 0), out(node, 0), size(node));
                    case RELU_SQUARED -> new ReluSquared.Forward(in(node, 0), out(node, 0), size(node));
                };
            case Op.ActivationGradient(Op.Function function) ->
                switch (function) {
                    case GELU_TANH ->
                        new Gelu.Backward(in(node, 0), in(node, 1), out(node, 0), node.accumulates(0), size(node));
                    case RELU_SQUARED ->
                        new ReluSquared.Backward(
                                in(node, 0), in(node, 1), out(node, 0), node.accumulates(0), size(node));
                };
            case Op.LinearCrossEntropy(int rowsAtOnce) -> {
                LinearCrossEntropy.Shape shape = lossShape(node, rowsAtOnce);
                yield new LinearCrossEntropy.Forward(
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        out(node, 0),
                        out(node, 1),
                        workspace.scratch(LinearCrossEntropy.Forward.workspaceBytes(shape)),
                        shape);
            }
            case Op.LinearCrossEntropyGradient(int rowsAtOnce) -> {
                LinearCrossEntropy.Shape shape = lossShape(node, rowsAtOnce);
                yield new LinearCrossEntropy.Gradient(
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        in(node, 3),
                        out(node, 0),
                        out(node, 2),
                        node.accumulates(2),
                        out(node, 3),
                        node.accumulates(3),
                        out(node, 1),
                        workspace.scratch(LinearCrossEntropy.Gradient.workspaceBytes(shape)),
                        shape);
            }
            case Op.SumOfSquares() -> {
                long count = node.input(0).shape().size();
                yield new SumOfSquares(
                        in(node, 0), out(node, 0), workspace.scratch(SumOfSquares.workspaceBytes(count)), count);
            }
            case Op.ClipFactor(double maxNorm) ->
                new ClipFactor(node.inputs().stream().map(memory).toList(), out(node, 0), maxNorm);
            case Op.AdamW op -> adamW(node, op);
            case Op.NesterovMomentum(double momentum) ->
                new NesterovMomentum(in(node, 0), in(node, 1), in(node, 2), out(node, 0), size(node), momentum);
            case Op.Normalize(double eps) ->
                new Normalize(
                        in(node, 0),
                        out(node, 0),
                        workspace.scratch(Normalize.workspaceBytes(size(node))),
                        size(node),
                        eps);
            case Op.ApplyUpdate(int fromRow, double scale, double weightDecay) -> {
                long count = node.input(1).shape().size();
                long from = (long) fromRow * columns(node, 0) * Float.BYTES;
                yield new ApplyUpdate(
                        in(node, 0).asSlice(from, count * Float.BYTES),
                        in(node, 1),
                        in(node, 2),
                        count,
                        scale,
                        weightDecay);
            }
            case Op.LinearCombination(double a, double b) ->
                new LinearCombination((float) a, in(node, 0), (float) b, in(node, 1), out(node, 0), size(node));
            case Op.Quantize _, Op.QuantizedMatMul _ ->
                throw new IllegalArgumentException("%s is for GPUs".formatted(node));
            case Op.Cast() ->
                node.accumulates(0)
                        ? new Add(in(node, 0), out(node, 0), out(node, 0), size(node))
                        : new Copy(in(node, 0), out(node, 0), size(node));
            case Op.Rows(int from, int count) -> {
                long rowBytes = (long) columns(node, 0) * Float.BYTES;
                yield new Copy(in(node, 0).asSlice(from * rowBytes, count * rowBytes), out(node, 0), size(node));
            }
        };
    }

    /// A product and the bias that follows it, into the memory of the product.
    Kernel matMulWithBias(Node product, Value bias) {
        return matMul(product, (Op.MatMul) product.op(), memory.apply(bias), product.output(0));
    }

    private Kernel matMul(Node node, Op.MatMul op, MemorySegment bias, Value out) {
        Shape a = node.input(0).shape();
        int m = out.shape().rows();
        int n = out.shape().columns();
        int k = op.transposeA() ? a.rows() : a.columns();
        return new MatMul(
                in(node, 0),
                in(node, 1),
                memory.apply(out),
                bias,
                m,
                n,
                k,
                op.transposeA(),
                op.transposeB(),
                node.accumulates(0),
                workspace.scratch(MatMul.workspaceBytes(m, n, k)));
    }

    private Kernel adamW(Node node, Op.AdamW op) {
        AdamW.Settings settings = new AdamW.Settings(op.beta1(), op.beta2(), op.eps(), op.weightDecay());
        return op.rounding()
                .<Kernel>map(rounding -> new AdamWBf16Moments(
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        in(node, 3),
                        in(node, 4),
                        in(node, 5),
                        in(node, 6),
                        size(node),
                        settings,
                        rounding.seed(),
                        rounding.tensor()))
                .orElseGet(() -> new AdamW(
                        in(node, 0),
                        in(node, 1),
                        in(node, 2),
                        in(node, 3),
                        in(node, 4),
                        in(node, 5),
                        size(node),
                        settings));
    }

    private static Attention.Shape attentionShape(Node node, Op.Heads heads, int length, int window) {
        return new Attention.Shape(
                rows(node, 0) / length, length, heads.query(), heads.keyValue(), heads.dim(), window);
    }

    private static LinearCrossEntropy.Shape lossShape(Node node, int rowsAtOnce) {
        return new LinearCrossEntropy.Shape(rows(node, 0), rowsAtOnce, columns(node, 0), rows(node, 1));
    }

    private MemorySegment in(Node node, int index) {
        return memory.apply(node.input(index));
    }

    private MemorySegment out(Node node, int index) {
        return memory.apply(node.output(index));
    }

    private static int rows(Node node, int input) {
        return node.input(input).shape().rows();
    }

    private static int columns(Node node, int input) {
        return node.input(input).shape().columns();
    }

    /// Elements of the first output.
    private static long size(Node node) {
        return node.output(0).shape().size();
    }
}
