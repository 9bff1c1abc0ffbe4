package org.quern.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.graph.Graph;
import org.quern.graph.Op;
import org.quern.graph.Shape;
import org.quern.graph.Value;
import org.quern.model.Parameter.Initial;
import org.quern.model.Parameter.Kind;
import org.quern.model.Parameter.Part;

/// Llama 3 (Grattafiori et al., 2024) with names and layout of Hugging Face's `LlamaForCausalLM`: weights of
/// linear layers are [out, in]; those of queries, keys and values, and of gate and up, are one parameter each.
public final class Llama implements Model {
    private final ModelConfig config;
    private final Op.Heads heads;
    private final Op.RopeFrequencies frequencies;
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();

    Llama(ModelConfig config) {
        this.config = config;
        heads = new Op.Heads(config.numAttentionHeads(), config.numKeyValueHeads(), config.headDim());
        frequencies = RotaryPositions.frequencies(config);
        int width = config.hiddenSize();
        Initial normal = new Initial.Normal(config.initializerRange());
        // The projections back into the residual stream, scaled down by the number of them, as in GPT-2.
        Initial residual = new Initial.Normal(config.initializerRange() / Math.sqrt(2.0 * config.numHiddenLayers()));
        matrix("model.embed_tokens.weight", config.vocabSize(), width, normal, Kind.EMBEDDING);
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            String prefix = prefix(layer);
            norm(prefix + "input_layernorm.weight");
            String attention = prefix + "self_attn.";
            fused(
                    attention + "qkv_proj.weight",
                    width,
                    normal,
                    Map.entry(attention + "q_proj.weight", heads.outColumns()),
                    Map.entry(attention + "k_proj.weight", heads.keyValue() * heads.dim()),
                    Map.entry(attention + "v_proj.weight", heads.keyValue() * heads.dim()));
            matrix(attention + "o_proj.weight", width, heads.outColumns(), residual, Kind.LINEAR);
            norm(prefix + "post_attention_layernorm.weight");
            String mlp = prefix + "mlp.";
            int inner = config.intermediateSize();
            if (FeedForward.gated(config)) {
                fused(
                        mlp + "gate_up_proj.weight",
                        width,
                        normal,
                        Map.entry(mlp + "gate_proj.weight", inner),
                        Map.entry(mlp + "up_proj.weight", inner));
            } else {
                matrix(mlp + "up_proj.weight", inner, width, normal, Kind.LINEAR);
            }
            matrix(mlp + "down_proj.weight", width, inner, residual, Kind.LINEAR);
        }
        norm("model.norm.weight");
        if (!config.tieWordEmbeddings()) {
            matrix("lm_head.weight", config.vocabSize(), width, normal, Kind.EMBEDDING);
        }
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public List<Parameter> parameters() {
        return new ArrayList<>(parameters.values());
    }

    @Override
    public Value hidden(Graph graph, Value tokens, Value positions, AttentionLayer attention) {
        Value x = graph.add("x", new Op.Embedding(), tokens, parameter(graph, "model.embed_tokens.weight"));
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            graph.markLayerInput(x);
            String prefix = prefix(layer);
            Value normed = norm(graph, prefix + "input_layernorm.weight", x);
            Value qkv = linear(graph, prefix + "self_attn.qkv_proj.weight", normed);
            Value turned = graph.add(prefix + "rope", new Op.Rope(heads, frequencies, false), qkv, positions);
            Value attended = attention.add(graph, layer, turned);
            x = graph.add(prefix + "x", new Op.Add(), x, linear(graph, prefix + "self_attn.o_proj.weight", attended));
            Value normedAgain = norm(graph, prefix + "post_attention_layernorm.weight", x);
            String up = FeedForward.gated(config) ? "mlp.gate_up_proj.weight" : "mlp.up_proj.weight";
            Value activated = graph.add(
                    prefix + "mlp.act", FeedForward.activation(config), linear(graph, prefix + up, normedAgain));
            x = graph.add(prefix + "y", new Op.Add(), x, linear(graph, prefix + "mlp.down_proj.weight", activated));
        }
        graph.markLayerInput(x);
        return norm(graph, "model.norm.weight", x);
    }

    @Override
    public Parameter outputWeights() {
        return parameters.get(config.tieWordEmbeddings() ? "model.embed_tokens.weight" : "lm_head.weight");
    }

    private static String prefix(int layer) {
        return "model.layers." + layer + ".";
    }

    private Value norm(Graph graph, String name, Value x) {
        return graph.add(name, new Op.RmsNorm(config.normEps()), x, parameter(graph, name));
    }

    private Value linear(Graph graph, String name, Value x) {
        return graph.add(name, new Op.MatMul(false, true, Op.Role.FORWARD), x, parameter(graph, name));
    }

    private Value parameter(Graph graph, String name) {
        return Model.state(graph, parameters.get(name));
    }

    private void norm(String name) {
        Shape shape = Shape.of(config.hiddenSize());
        parameters.put(
                name,
                new Parameter(name, shape, Kind.VECTOR, new Initial.Constant(1), List.of(new Part(name, shape, 0))));
    }

    private void matrix(String name, int rows, int columns, Initial initial, Kind kind) {
        Shape shape = Shape.of(rows, columns);
        parameters.put(name, new Parameter(name, shape, kind, initial, List.of(new Part(name, shape, 0))));
    }

    @SafeVarargs
    private void fused(String name, int columns, Initial initial, Map.Entry<String, Integer>... rowsOfParts) {
        List<Part> parts = new ArrayList<>();
        int row = 0;
        for (Map.Entry<String, Integer> part : rowsOfParts) {
            parts.add(new Part(part.getKey(), Shape.of(part.getValue(), columns), row));
            row += part.getValue();
        }
        parameters.put(name, new Parameter(name, Shape.of(row, columns), Kind.LINEAR, initial, parts));
    }
}
