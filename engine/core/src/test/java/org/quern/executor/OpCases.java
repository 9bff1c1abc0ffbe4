package org.quern.executor;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.quern.graph.DType;
import org.quern.graph.Gradients;
import org.quern.graph.Graph;
import org.quern.graph.Op;
import org.quern.graph.Shape;
import org.quern.graph.Value;

/// Small graphs in which each differentiable operation, and each way in which gradients meet, occurs; at
/// awkward sizes.
final class OpCases {
    private OpCases() {}

    /// A graph: its fp32 states are parameters, filled at random; its int32 states are filled as said.
    record Case(String name, Function<Graph, Value> forward, Map<String, IntToDoubleFunction> integers) {
        @Override
        public String toString() {
            return name;
        }

        /// The graph with the gradients of the parameters for `sum(seed * output)`; `output` is a state too.
        Graph graph(boolean accumulate) {
            Graph graph = new Graph();
            Value output = forward.apply(graph);
            List<Value> parameters = parameters(graph);
            Value result = graph.state("output", output.shape(), DType.F32);
            graph.redirect(output, result);
            Map<Value, Value> gradients = new LinkedHashMap<>();
            parameters.forEach(parameter -> gradients.put(
                    parameter, graph.state("gradient." + parameter.name(), parameter.shape(), DType.F32)));
            Shape seed = graph.nodes().getLast().op() instanceof Op.LinearCrossEntropy ? Shape.of(1) : output.shape();
            Gradients.append(graph, Map.of(result, graph.state("seed", seed, DType.F32)), gradients, accumulate);
            return graph;
        }

        static List<Value> parameters(Graph graph) {
            return graph.states().values().stream()
                    .filter(state -> state.type() == DType.F32
                            && !state.name().startsWith("gradient.")
                            && !state.name().equals("seed")
                            && !state.name().equals("output"))
                    .toList();
        }

        /// Initial values of a state, the same for the same seed.
        double[] values(Value state, long seed) {
            int size = Math.toIntExact(state.shape().size());
            if (state.type() == DType.I32) {
                return IntStream.range(0, size)
                        .mapToDouble(integers.get(state.name()))
                        .toArray();
            }
            Random random = new Random(seed + state.name().hashCode());
            // Values that a float holds exactly, so that both precisions start from the same.
            return random.doubles(size, -1, 1).map(v -> (float) v).toArray();
        }
    }

    static List<Case> all() {
        List<Case> cases = new ArrayList<>();
        for (boolean transposeA : new boolean[] {false, true}) {
            for (boolean transposeB : new boolean[] {false, true}) {
                cases.add(of("matmul %s %s".formatted(transposeA, transposeB), graph -> {
                    Value a = parameter(graph, "a", transposeA ? new int[] {5, 7} : new int[] {7, 5});
                    Value b = parameter(graph, "b", transposeB ? new int[] {3, 5} : new int[] {5, 3});
                    return graph.add("y", new Op.MatMul(transposeA, transposeB), a, b);
                }));
            }
        }
        cases.add(of(
                "bias",
                graph -> graph.add(
                        "y",
                        new Op.AddBias(),
                        graph.add(
                                "ab",
                                new Op.MatMul(false, false),
                                parameter(graph, "a", 6, 4),
                                parameter(graph, "b", 4, 5)),
                        parameter(graph, "bias", 5))));
        cases.add(of(
                "embedding",
                graph -> graph.add("y", new Op.Embedding(), ids(graph, "ids", 9), parameter(graph, "table", 5, 13)),
                Map.of("ids", i -> i * i % 4)));
        cases.add(of(
                "rms norm",
                graph ->
                        graph.add("y", new Op.RmsNorm(1e-3), parameter(graph, "x", 5, 13), parameter(graph, "w", 13))));
        cases.add(of(
                "layer norm",
                graph -> graph.add(
                        "y",
                        new Op.LayerNorm(1e-3),
                        parameter(graph, "x", 5, 13),
                        parameter(graph, "w", 13),
                        parameter(graph, "b", 13))));
        Op.Heads heads = new Op.Heads(4, 2, 6);
        cases.add(of(
                "rope",
                graph -> graph.add(
                        "y",
                        new Op.Rope(heads, new Op.RopeFrequencies(List.of(1.0, 0.3, 0.01), 50), false),
                        parameter(graph, "qkv", 7, heads.fusedColumns()),
                        ids(graph, "positions", 7)),
                Map.of("positions", i -> 7 * i)));
        cases.add(attention("attention", heads, 9, 0, i -> 0));
        cases.add(attention("attention in a window", heads, 9, 3, i -> 0));
        cases.add(attention("attention within documents", heads, 9, 0, i -> i % 9 / 4 * 4));
        cases.add(attention("attention in a window within documents", heads, 9, 2, i -> i % 9 / 5 * 5));
        cases.add(attention("attention of one token", new Op.Heads(1, 1, 5), 1, 0, i -> 0));
        Op.Heads wide = new Op.Heads(4, 2, 16);
        cases.add(attention("attention with heads of 16", wide, 21, 0, i -> 0));
        cases.add(attention("attention in a window within documents, heads of 16", wide, 19, 4, i -> i % 19 / 7 * 7));
        cases.add(of(
                "rope with heads of 16",
                graph -> graph.add(
                        "y",
                        new Op.Rope(
                                wide,
                                new Op.RopeFrequencies(List.of(1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.01), 50),
                                false),
                        parameter(graph, "qkv", 7, wide.fusedColumns()),
                        ids(graph, "positions", 7)),
                Map.of("positions", i -> 7 * i)));
        cases.add(of("swiglu", graph -> graph.add("y", new Op.SwiGlu(), parameter(graph, "x", 5, 14))));
        for (Op.Function function : Op.Function.values()) {
            cases.add(of(
                    function.toString(),
                    graph -> graph.add("y", new Op.Activation(function), parameter(graph, "x", 5, 13))));
        }
        for (int rowsAtOnce : new int[] {6, 4, 1}) {
            cases.add(of(
                    "linear cross-entropy, %d rows at once".formatted(rowsAtOnce),
                    graph -> graph.add(
                            "y",
                            new Op.LinearCrossEntropy(rowsAtOnce),
                            parameter(graph, "hidden", 6, 5),
                            parameter(graph, "weight", 11, 5),
                            ids(graph, "targets", 6)),
                    Map.of("targets", i -> i == 2 ? -100 : i * 3 % 11)));
        }
        cases.add(of("residual stream", OpCases::residualStream));
        cases.add(of("a value read three times", graph -> {
            Value x = graph.add(
                    "x", new Op.MatMul(false, false), parameter(graph, "a", 4, 4), parameter(graph, "b", 4, 4));
            Value square = graph.add("square", new Op.MatMul(false, false), x, x);
            return graph.add("y", new Op.Add(), graph.add("sum", new Op.Add(), square, x), x);
        }));
        cases.add(of(
                "a tied parameter",
                graph -> {
                    Value w = parameter(graph, "w", 5, 5);
                    Value x = graph.add("x", new Op.Embedding(), ids(graph, "ids", 6), w);
                    return graph.add("y", new Op.MatMul(false, true), x, w);
                },
                Map.of("ids", i -> i % 5)));
        cases.add(of(
                "an output layer tied to the embedding",
                graph -> {
                    Value w = parameter(graph, "w", 7, 5);
                    Value x = graph.add("x", new Op.Embedding(), ids(graph, "ids", 6), w);
                    Value hidden = graph.add("hidden", new Op.RmsNorm(1e-3), x, parameter(graph, "norm", 5));
                    return graph.add("y", new Op.LinearCrossEntropy(4), hidden, w, ids(graph, "targets", 6));
                },
                Map.of("ids", i -> i * i % 7, "targets", i -> i == 4 ? -1 : i)));
        return cases;
    }

    /// Two pre-norm blocks: the gradient of the stream goes around each block and through it.
    private static Value residualStream(Graph graph) {
        Value x =
                graph.add("x", new Op.MatMul(false, false), parameter(graph, "in", 5, 6), parameter(graph, "w", 6, 6));
        for (int block = 0; block < 2; block++) {
            Value normed = graph.add("normed", new Op.RmsNorm(1e-3), x, parameter(graph, "norm" + block, 6));
            Value up = graph.add("up", new Op.MatMul(false, true), normed, parameter(graph, "up" + block, 7, 6));
            Value activated = graph.add("act", new Op.Activation(Op.Function.GELU_TANH), up);
            Value down =
                    graph.add("down", new Op.MatMul(false, true), activated, parameter(graph, "down" + block, 6, 7));
            x = graph.add("x", new Op.Add(), x, down);
        }
        return graph.add("y", new Op.RmsNorm(1e-3), x, parameter(graph, "norm", 6));
    }

    /// Of two sequences.
    static Case attention(String name, Op.Heads heads, int length, int window, IntToDoubleFunction start) {
        return of(
                name,
                graph -> graph.add(
                        "y",
                        new Op.Attention(heads, length, window),
                        parameter(graph, "qkv", 2 * length, heads.fusedColumns()),
                        ids(graph, "start", 2 * length)),
                Map.of("start", start));
    }

    private static Case of(String name, Function<Graph, Value> forward) {
        return of(name, forward, Map.of());
    }

    private static Case of(String name, Function<Graph, Value> forward, Map<String, IntToDoubleFunction> integers) {
        return new Case(name, forward, integers);
    }

    private static Value parameter(Graph graph, String name, int... dims) {
        return graph.state(name, Shape.of(dims), DType.F32);
    }

    private static Value ids(Graph graph, String name, int count) {
        return graph.state(name, Shape.of(count), DType.I32);
    }
}
