package org.quern.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The shape of a model, in the terms of Hugging Face's `config.json`.
///
/// @param architecture the family
/// @param vocabSize rows of the embedding
/// @param hiddenSize width of the residual stream
/// @param intermediateSize width of the feed-forward layer
/// @param numHiddenLayers transformer blocks
/// @param numAttentionHeads query heads
/// @param numKeyValueHeads key and value heads, a divisor of the query heads (grouped-query attention)
/// @param headDim width of a head
/// @param maxPositionEmbeddings the longest context
/// @param hiddenAct activation of the feed-forward layer
/// @param normEps added to the variance in LayerNorm and RMSNorm
/// @param ropeTheta base of the rotary frequencies; unused by GPT-2
/// @param ropeScaling Llama 3.1's stretching of the frequencies
/// @param slidingWindow how many tokens a token sees, itself included; 0: all before it
/// @param tieWordEmbeddings whether the output layer shares the embedding's weights
/// @param initializerRange standard deviation of the initial weights
public record ModelConfig(
        Architecture architecture,
        int vocabSize,
        int hiddenSize,
        int intermediateSize,
        int numHiddenLayers,
        int numAttentionHeads,
        int numKeyValueHeads,
        int headDim,
        int maxPositionEmbeddings,
        Activation hiddenAct,
        double normEps,
        double ropeTheta,
        Optional<RopeScaling> ropeScaling,
        int slidingWindow,
        boolean tieWordEmbeddings,
        double initializerRange) {

    /// The model families.
    public enum Architecture {
        /// LayerNorm, learned positions, biases; weights of linear layers as [in, out].
        GPT2,
        /// RMSNorm, rotary positions, gated feed-forward, no biases; weights of linear layers as [out, in].
        LLAMA
    }

    /// Activations of the feed-forward layer. In LLAMA, `SILU` is gated (SwiGLU); the others are plain.
    public enum Activation {
        /// GELU in its tanh form (`gelu_new`).
        GELU_TANH,
        /// x * sigmoid(x), gated: SwiGLU.
        SILU,
        /// max(x, 0)^2.
        RELU_SQUARED
    }

    /// Llama 3.1's scaling of rotary frequencies (`rope_type: llama3`).
    public record RopeScaling(
            double factor, double lowFreqFactor, double highFreqFactor, int originalMaxPositionEmbeddings) {}

    /// What is wrong with these sizes, one sentence each; empty when they make a model.
    public List<String> problems() {
        List<String> problems = new ArrayList<>();
        positive(problems, "vocab_size", vocabSize);
        positive(problems, "hidden_size", hiddenSize);
        positive(problems, "intermediate_size", intermediateSize);
        positive(problems, "num_hidden_layers", numHiddenLayers);
        positive(problems, "num_attention_heads", numAttentionHeads);
        positive(problems, "num_key_value_heads", numKeyValueHeads);
        positive(problems, "head_dim", headDim);
        positive(problems, "max_position_embeddings", maxPositionEmbeddings);
        if (numKeyValueHeads > 0 && numAttentionHeads % numKeyValueHeads != 0) {
            problems.add("num_key_value_heads must divide num_attention_heads %d: got %d"
                    .formatted(numAttentionHeads, numKeyValueHeads));
        }
        if (architecture == Architecture.LLAMA && headDim % 2 != 0) {
            problems.add("head_dim must be even for rotary positions: got %d".formatted(headDim));
        }
        if (architecture == Architecture.GPT2 && headDim * numAttentionHeads != hiddenSize) {
            problems.add(
                    "num_attention_heads must divide hidden_size %d: got %d".formatted(hiddenSize, numAttentionHeads));
        }
        if (architecture == Architecture.GPT2 && numKeyValueHeads != numAttentionHeads) {
            problems.add("num_key_value_heads must equal num_attention_heads %d in gpt2: got %d"
                    .formatted(numAttentionHeads, numKeyValueHeads));
        }
        if (architecture == Architecture.GPT2 && hiddenAct == Activation.SILU) {
            problems.add("hidden_act must be gelu_tanh or relu_squared in gpt2: got silu");
        }
        if (slidingWindow < 0) {
            problems.add("sliding_window must be 0 (none) or positive: got %d".formatted(slidingWindow));
        }
        return problems;
    }

    private static void positive(List<String> problems, String name, int value) {
        if (value <= 0) {
            problems.add("%s must be positive: got %d".formatted(name, value));
        }
    }
}
