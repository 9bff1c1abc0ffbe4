package org.quern.model;

import org.quern.graph.Op;

/// The activations of feed-forward layers as operations.
final class FeedForward {
    private FeedForward() {}

    /// Whether the layer is gated: two projections up, multiplied.
    static boolean gated(ModelConfig config) {
        return config.hiddenAct() == ModelConfig.Activation.SILU;
    }

    static Op activation(ModelConfig config) {
        return switch (config.hiddenAct()) {
            case GELU_TANH -> new Op.Activation(Op.Function.GELU_TANH);
            case RELU_SQUARED -> new Op.Activation(Op.Function.RELU_SQUARED);
            case SILU -> new Op.SwiGlu();
        };
    }
}
