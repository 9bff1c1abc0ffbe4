package org.quern.model;

import java.util.List;
import org.quern.graph.DType;
import org.quern.graph.Graph;
import org.quern.graph.Op;
import org.quern.graph.Value;

/// A family of models: its parameters, and its forward pass as operations of a graph.
public sealed interface Model permits Gpt2, Llama {

    /// The model of a config.
    static Model of(ModelConfig config) {
        return switch (config.architecture()) {
            case GPT2 -> new Gpt2(config);
            case LLAMA -> new Llama(config);
        };
    }

    ModelConfig config();

    /// All parameters, in the order of the forward pass.
    List<Parameter> parameters();

    /// Adds the forward pass up to the last norm.
    ///
    /// @param tokens ids int32 [N]
    /// @param positions of the tokens int32 [N]
    /// @return [N, hiddenSize]
    Value hidden(Graph graph, Value tokens, Value positions, AttentionLayer attention);

    /// The weights of the output layer, [vocabSize, hiddenSize]: their products with a row of `hidden` are its
    /// logits.
    Parameter outputWeights();

    /// Adds the output layer: [N, hiddenSize] to [N, vocabSize].
    default Value logits(Graph graph, Value hidden) {
        return graph.add("logits", new Op.MatMul(false, true), hidden, state(graph, outputWeights()));
    }

    /// The attention of a layer, which differs between training and decoding: fused qkv to [N, H D].
    interface AttentionLayer {
        Value add(Graph graph, int layer, Value qkv);
    }

    /// The number of trained values.
    default long parameterCount() {
        return parameters().stream().mapToLong(p -> p.shape().size()).sum();
    }

    /// Floating-point operations of forward and backward pass for a token, as utilisation counts them, whatever
    /// a device computes beside or again: 6 N + 12 L H D S, where N are the weights that each token is
    /// multiplied with (those of linear layers and of the output layer), L the layers, H heads of D columns,
    /// and S the tokens that one sees on average, (T + 1) / 2 without a window.
    ///
    /// @param length T, tokens of a sequence
    default double flopPerToken(int length) {
        double weights = outputWeights().shape().size();
        for (Parameter parameter : parameters()) {
            weights += switch (parameter.kind()) {
                case LINEAR, LINEAR_TRANSPOSED -> parameter.shape().size();
                case VECTOR, EMBEDDING -> 0;
            };
        }
        ModelConfig config = config();
        double span = config.slidingWindow() == 0 ? length : Math.min(config.slidingWindow(), length);
        double seen = (span * (span + 1) / 2 + (length - span) * span) / length;
        double columns = (double) config.numAttentionHeads() * config.headDim();
        return 6 * weights + 12 * config.numHiddenLayers() * columns * seen;
    }

    /// A parameter as a state of a graph.
    static Value state(Graph graph, Parameter parameter) {
        return graph.state(parameter.name(), parameter.shape(), DType.F32);
    }
}
