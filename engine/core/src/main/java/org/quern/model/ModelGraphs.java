package org.quern.model;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.graph.DType;
import org.quern.graph.Gradients;
import org.quern.graph.Graph;
import org.quern.graph.Op;
import org.quern.graph.Recomputation;
import org.quern.graph.Recompute;
import org.quern.graph.Shape;
import org.quern.graph.Value;

/// The graphs that a model is used through, and the names of the states that they read and write beside the
/// parameters. B sequences of T tokens are N = B T rows.
public final class ModelGraphs {
    /// Ids int32 [N].
    public static final String TOKENS = "tokens";
    /// The ids to predict, int32 [N]; negative ones are ignored.
    public static final String TARGETS = "targets";
    /// Positions for the position embedding, int32 [N].
    public static final String POSITIONS = "positions";
    /// Where in its sequence each token's document starts, int32 [N].
    public static final String DOCUMENT_START = "document_start";
    /// What a batch consists of.
    public static final List<String> BATCH = List.of(TOKENS, TARGETS, POSITIONS, DOCUMENT_START);
    /// The weight of a token's loss in the gradient, fp32 [1].
    public static final String LOSS_SCALE = "loss_scale";
    /// Cross-entropy of each token in nats, fp32 [N].
    public static final String LOSSES = "losses";

    /// The position of the first, int32 [1].
    public static final String DECODE_START = "decode.start";
    /// For each sequence the row whose logits are wanted, int32 [B].
    public static final String DECODE_LAST = "decode.last";
    /// The logits of these rows, fp32 [B, V].
    public static final String DECODE_LOGITS = "decode.logits";

    private static final String CACHE = "cache.";

    /// The most logits of a chunk: 64 MiB in fp32.
    private static final int LOGITS = 1 << 24;

    private ModelGraphs() {}

    /// The state that holds the gradient of a parameter.
    public static String gradient(String parameter) {
        return "gradient." + parameter;
    }

    /// Whether a state holds keys or values of tokens that were read.
    public static boolean isCache(String state) {
        return state.startsWith(CACHE);
    }

    /// Ids of the `length` tokens to read of each sequence, int32 [B length].
    public static String decodeTokens(int length) {
        return "decode.tokens." + length;
    }

    /// Their positions, int32 [B length].
    public static String decodePositions(int length) {
        return "decode.positions." + length;
    }

    /// The losses of a batch.
    public static Graph evaluation(Model model, int batch, int length) {
        Graph graph = new Graph();
        losses(graph, model, batch, length);
        return graph;
    }

    /// The losses of a batch and the gradients of all parameters, nothing computed twice.
    ///
    /// @param accumulate whether the gradients are added to those of the batch before
    public static Graph training(Model model, int batch, int length, boolean accumulate) {
        return training(model, batch, length, accumulate, Recompute.NONE);
    }

    /// The losses of a batch and the gradients of all parameters.
    ///
    /// @param accumulate whether the gradients are added to those of the batch before
    /// @param recompute what the backward pass computes again
    public static Graph training(Model model, int batch, int length, boolean accumulate, Recompute recompute) {
        Graph graph = new Graph();
        Value losses = losses(graph, model, batch, length);
        Map<Value, Value> gradients = new LinkedHashMap<>();
        for (Parameter parameter : model.parameters()) {
            gradients.put(
                    Model.state(graph, parameter),
                    graph.state(gradient(parameter.name()), parameter.shape(), DType.F32));
        }
        Value scale = graph.state(LOSS_SCALE, Shape.of(1), DType.F32);
        int forward = Gradients.append(graph, Map.of(losses, scale), gradients, accumulate);
        Recomputation.apply(graph, forward, recompute);
        return graph;
    }

    /// The next tokens' logits after `length` more tokens of each sequence, with a cache of keys and values.
    ///
    /// @param capacity tokens that the cache holds for each sequence
    public static Graph decoding(Model model, int batch, int length, int capacity) {
        Graph graph = new Graph();
        ModelConfig config = model.config();
        Op.Heads heads = heads(config);
        Shape rows = Shape.of(batch * length);
        Value tokens = graph.state(decodeTokens(length), rows, DType.I32);
        Value positions = graph.state(decodePositions(length), rows, DType.I32);
        Value start = graph.state(DECODE_START, Shape.of(1), DType.I32);
        Value last = graph.state(DECODE_LAST, Shape.of(batch), DType.I32);
        Shape cache = Shape.of(batch, heads.keyValue(), capacity, heads.dim());
        Value hidden = model.hidden(
                graph,
                tokens,
                positions,
                (g, layer, qkv) -> g.add(
                        "attention." + layer,
                        new Op.CachedAttention(heads, length, config.slidingWindow()),
                        qkv,
                        g.state(CACHE + "keys." + layer, cache, DType.F32),
                        g.state(CACHE + "values." + layer, cache, DType.F32),
                        start));
        Value picked = graph.add("picked", new Op.Embedding(), last, hidden);
        Value logits = model.logits(graph, picked);
        Value result = graph.state(DECODE_LOGITS, logits.shape(), DType.F32);
        graph.redirect(logits, result);
        return graph;
    }

    private static Op.Heads heads(ModelConfig config) {
        return new Op.Heads(config.numAttentionHeads(), config.numKeyValueHeads(), config.headDim());
    }

    private static Value losses(Graph graph, Model model, int batch, int length) {
        ModelConfig config = model.config();
        Shape rows = Shape.of(batch * length);
        Value tokens = graph.state(TOKENS, rows, DType.I32);
        Value targets = graph.state(TARGETS, rows, DType.I32);
        Value positions = graph.state(POSITIONS, rows, DType.I32);
        Value start = graph.state(DOCUMENT_START, rows, DType.I32);
        Op.Heads heads = heads(config);
        Value hidden = model.hidden(
                graph,
                tokens,
                positions,
                (g, layer, qkv) -> g.add(
                        "attention." + layer, new Op.Attention(heads, length, config.slidingWindow()), qkv, start));
        Value weights = Model.state(graph, model.outputWeights());
        Value losses = graph.add(
                "token losses",
                Op.LinearCrossEntropy.of(hidden.shape(), weights.shape(), LOGITS),
                hidden,
                weights,
                targets);
        Value result = graph.state(LOSSES, rows, DType.F32);
        graph.redirect(losses, result);
        return result;
    }
}
