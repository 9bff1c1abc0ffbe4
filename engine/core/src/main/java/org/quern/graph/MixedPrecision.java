package org.quern.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The types of a graph on a GPU: activations, their gradients, and keys and values of caches are bf16;
/// statistics, losses and whatever is a state stay fp32.
///
/// Where an operation takes bf16 but the input is an fp32 state, a parameter, it reads the parameter's working
/// copy: the bf16 values that the optimiser writes beside the fp32 ones. [#workingCopies] says which states
/// need one.
public final class MixedPrecision {
    /// The most logits of a chunk: 256 MiB. The gradient of the hidden states, [rows, C], needs a few thousand
    /// rows to have tiles for all multiprocessors.
    private static final int LOGITS = 1 << 27;

    private MixedPrecision() {}

    /// The same graph with the types of a GPU.
    public static Graph lower(Graph graph) {
        Graph lowered = new Graph();
        Map<Value, Value> values = new HashMap<>();
        graph.states()
                .values()
                .forEach(state -> values.put(state, lowered.state(state.name(), state.shape(), type(graph, state))));
        // What was rounded before it went into an fp32 state: who reads that as bf16 reads this.
        Map<Value, Value> rounded = new HashMap<>();
        Set<Value> readAsBf16 = readAsBf16(graph);
        for (Node node : graph.nodes()) {
            List<Value> inputs = new ArrayList<>();
            for (int i = 0; i < node.inputs().size(); i++) {
                Value input = values.get(node.input(i));
                inputs.add(readsBf16(node.op(), i) ? rounded.getOrDefault(input, input) : input);
            }
            Op op = chunked(node.op(), inputs);
            List<Shape> shapes =
                    op.outputShapes(inputs.stream().map(Value::shape).toList());
            List<Node.Output> outputs = new ArrayList<>();
            List<Node> casts = new ArrayList<>();
            for (int i = 0; i < node.outputs().size(); i++) {
                // AdamW keeps its moments in the type that they have.
                DType type = op instanceof Op.AdamW ? node.output(i).type() : output(op, i);
                Shape shape = shapes.get(i);
                Value value =
                        values.computeIfAbsent(node.output(i), old -> lowered.transientValue(old.name(), shape, type));
                Node.Output output = new Node.Output(value, node.accumulates(i));
                boolean exact = op instanceof Op.MatMul && !readAsBf16.contains(node.output(i));
                if (value.type() == type || value.type() == DType.F32 && exact) {
                    outputs.add(output);
                } else {
                    Value result = lowered.transientValue(value.name(), value.shape(), type);
                    outputs.add(new Node.Output(result, false));
                    casts.add(new Node(new Op.Cast(), List.of(result), List.of(output)));
                    rounded.put(value, result);
                }
            }
            lowered.addInto(op, inputs, outputs);
            casts.forEach(cast -> lowered.addInto(cast.op(), cast.inputs(), cast.outputs()));
        }
        return lowered;
    }

    private static Set<Value> readAsBf16(Graph graph) {
        Set<Value> read = new HashSet<>();
        for (Node node : graph.nodes()) {
            for (int i = 0; i < node.inputs().size(); i++) {
                if (readsBf16(node.op(), i)) {
                    read.add(node.input(i));
                }
            }
        }
        return read;
    }

    /// The operation with chunks of the size that a GPU likes.
    private static Op chunked(Op op, List<Value> inputs) {
        return switch (op) {
            case Op.LinearCrossEntropy _ ->
                Op.LinearCrossEntropy.of(inputs.get(0).shape(), inputs.get(1).shape(), LOGITS);
            case Op.LinearCrossEntropyGradient _ ->
                new Op.LinearCrossEntropyGradient(Op.LinearCrossEntropy.of(
                                inputs.get(0).shape(), inputs.get(1).shape(), LOGITS)
                        .rowsAtOnce());
            default -> op;
        };
    }

    /// The fp32 states of a lowered graph that some operation reads as bf16.
    public static List<Value> workingCopies(Graph lowered) {
        List<Value> copies = new ArrayList<>();
        for (Node node : lowered.nodes()) {
            for (int i = 0; i < node.inputs().size(); i++) {
                Value input = node.input(i);
                if (input.state() && input.type() == DType.F32 && readsBf16(node.op(), i) && !copies.contains(input)) {
                    copies.add(input);
                }
            }
        }
        return copies;
    }

    /// The bytes that a node of a lowered graph reads and writes: of a parameter that it takes as bf16 those of the
    /// working copy.
    public static double bytes(Node node) {
        double bytes = node.cost().bytes();
        for (int i = 0; i < node.inputs().size(); i++) {
            Value input = node.input(i);
            if (input.state() && input.type() == DType.F32 && readsBf16(node.op(), i)) {
                bytes -= input.shape().size() * (DType.F32.bytes() - DType.BF16.bytes());
            }
        }
        return bytes;
    }

    private static DType type(Graph graph, Value state) {
        boolean cache = graph.nodes().stream()
                .anyMatch(node -> node.op() instanceof Op.CachedAttention
                        && (node.input(1).equals(state) || node.input(2).equals(state)));
        return cache ? DType.BF16 : state.type();
    }

    /// The type of an output that is no state.
    private static DType output(Op op, int index) {
        return switch (op) {
            case Op.MatMul _,
                    Op.QuantizedMatMul _,
                    Op.AddBias _,
                    Op.Add _,
                    Op.Embedding _,
                    Op.Rope _,
                    Op.CachedAttention _,
                    Op.AttentionGradient _,
                    Op.SwiGlu _,
                    Op.SwiGluGradient _,
                    Op.Activation _,
                    Op.ActivationGradient _,
                    Op.Rows _,
                    Op.Normalize _,
                    Op.LinearCombination _ -> DType.BF16;
            case Op.RmsNorm _, Op.RmsNormGradient _, Op.LayerNorm _, Op.LayerNormGradient _, Op.Attention _ ->
                index == 0 ? DType.BF16 : DType.F32;
            case Op.NesterovMomentum _ -> index == 0 ? DType.BF16 : DType.F32;
            case Op.Quantize quantize -> quantize.type();
            case Op.LinearCrossEntropy _, Op.LinearCrossEntropyGradient _ ->
                index == 1 || index == 2 ? DType.BF16 : DType.F32;
            case Op.ColumnSum _,
                    Op.EmbeddingGradient _,
                    Op.SumOfSquares _,
                    Op.ClipFactor _,
                    Op.AdamW _,
                    Op.ApplyUpdate _,
                    Op.Cast _ -> DType.F32;
        };
    }

    /// Whether an operation takes that input as bf16.
    public static boolean readsBf16(Op op, int index) {
        return switch (op) {
            case Op.MatMul _,
                    Op.QuantizedMatMul _,
                    Op.Quantize _,
                    Op.AddBias _,
                    Op.Add _,
                    Op.ColumnSum _,
                    Op.SwiGlu _,
                    Op.SwiGluGradient _,
                    Op.Activation _,
                    Op.ActivationGradient _,
                    Op.Rows _,
                    Op.Normalize _,
                    Op.LinearCombination _,
                    Op.LayerNorm _,
                    Op.RmsNorm _ -> true;
            case Op.Embedding _, Op.EmbeddingGradient _ -> index == 1;
            case Op.RmsNormGradient _ -> index != 2;
            case Op.LayerNormGradient _ -> index != 2 && index != 3;
            case Op.Rope _, Op.Attention _ -> index == 0;
            case Op.LinearCrossEntropy _, Op.LinearCrossEntropyGradient _ -> index < 2;
            case Op.CachedAttention _ -> index < 3;
            case Op.AttentionGradient _ -> index == 0 || index == 2 || index == 4;
            case Op.ApplyUpdate _ -> index == 1;
            case Op.SumOfSquares _, Op.ClipFactor _, Op.AdamW _, Op.NesterovMomentum _, Op.Cast _ -> false;
        };
    }
}
