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

/// GPT-2 (Radford et al., 2019) with names and layout of Hugging Face's `GPT2LMHeadModel`: weights of linear
/// layers are [in, out].
public final class Gpt2 implements Model {
    private final ModelConfig config;
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();

    Gpt2(ModelConfig config) {
        this.config = config;
        int width = config.hiddenSize();
        Initial normal = new Initial.Normal(config.initializerRange());
        // The projections back into the residual stream, scaled down by the number of them (section 2.3).
        Initial residual = new Initial.Normal(config.initializerRange() / Math.sqrt(2.0 * config.numHiddenLayers()));
        matrix("transformer.wte.weight", config.vocabSize(), width, normal, Kind.EMBEDDING);
        matrix("transformer.wpe.weight", config.maxPositionEmbeddings(), width, normal, Kind.EMBEDDING);
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            String prefix = prefix(layer);
            norm(prefix + "ln_1", width);
            linear(prefix + "attn.c_attn", width, 3 * width, normal);
            linear(prefix + "attn.c_proj", width, width, residual);
            norm(prefix + "ln_2", width);
            linear(prefix + "mlp.c_fc", width, config.intermediateSize(), normal);
            linear(prefix + "mlp.c_proj", config.intermediateSize(), width, residual);
        }
        norm("transformer.ln_f", width);
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
        Value x = graph.add(
                "x",
                new Op.Add(),
                graph.add("wte", new Op.Embedding(), tokens, parameter(graph, "transformer.wte.weight")),
                graph.add("wpe", new Op.Embedding(), positions, parameter(graph, "transformer.wpe.weight")));
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            graph.markLayerInput(x);
            String prefix = prefix(layer);
            Value qkv = linear(graph, prefix + "attn.c_attn", norm(graph, prefix + "ln_1", x));
            Value attended = attention.add(graph, layer, qkv);
            x = graph.add(prefix + "x", new Op.Add(), x, linear(graph, prefix + "attn.c_proj", attended));
            Value up = linear(graph, prefix + "mlp.c_fc", norm(graph, prefix + "ln_2", x));
            Value activated = graph.add(prefix + "mlp.act", FeedForward.activation(config), up);
            x = graph.add(prefix + "y", new Op.Add(), x, linear(graph, prefix + "mlp.c_proj", activated));
        }
        graph.markLayerInput(x);
        return norm(graph, "transformer.ln_f", x);
    }

    @Override
    public Parameter outputWeights() {
        return parameters.get(config.tieWordEmbeddings() ? "transformer.wte.weight" : "lm_head.weight");
    }

    private static String prefix(int layer) {
        return "transformer.h." + layer + ".";
    }

    private Value norm(Graph graph, String name, Value x) {
        return graph.add(
                name,
                new Op.LayerNorm(config.normEps()),
                x,
                parameter(graph, name + ".weight"),
                parameter(graph, name + ".bias"));
    }

    private Value linear(Graph graph, String name, Value x) {
        Op product = new Op.MatMul(false, false, Op.Role.FORWARD);
        Value value = graph.add(name, product, x, parameter(graph, name + ".weight"));
        return graph.add(name + ".biased", new Op.AddBias(), value, parameter(graph, name + ".bias"));
    }

    private Value parameter(Graph graph, String name) {
        return Model.state(graph, parameters.get(name));
    }

    private void norm(String name, int width) {
        vector(name + ".weight", width, 1);
        vector(name + ".bias", width, 0);
    }

    private void linear(String name, int in, int out, Initial initial) {
        matrix(name + ".weight", in, out, initial, Kind.LINEAR_TRANSPOSED);
        vector(name + ".bias", out, 0);
    }

    private void vector(String name, int size, double value) {
        put(name, Shape.of(size), Kind.VECTOR, new Initial.Constant(value));
    }

    private void matrix(String name, int rows, int columns, Initial initial, Kind kind) {
        put(name, Shape.of(rows, columns), kind, initial);
    }

    private void put(String name, Shape shape, Kind kind, Initial initial) {
        parameters.put(name, new Parameter(name, shape, kind, initial, List.of(new Parameter.Part(name, shape, 0))));
    }
}
