package org.quern.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.quern.base.QuernException;
import org.quern.model.ModelConfig;
import org.quern.model.ModelConfig.Activation;
import org.quern.model.ModelConfig.Architecture;

/// The model's shape with Hugging Face's names; what is left out follows from the rest.
///
/// @param vocabSize rows of the embedding, by default as many as the tokenizer has tokens
/// @param intermediateSize width of the feed-forward layer, by default 4 times `hiddenSize`, or for llama 8/3 of it,
///     rounded up to a multiple of 64
/// @param numKeyValueHeads by default `numAttentionHeads`
/// @param headDim by default `hiddenSize / numAttentionHeads`
/// @param maxPositionEmbeddings the longest context, by default `train.sequence_length`
/// @param hiddenAct by default `gelu_tanh` for gpt2 and `silu` for llama
/// @param ropeTheta base of the rotary frequencies, 10000 by default
/// @param slidingWindow how many tokens a token sees
/// @param tieWordEmbeddings by default true for gpt2 and false for llama
public record ModelSection(
        Architecture architecture,
        @Range(min = 1) Optional<Integer> vocabSize,
        @Range(min = 1, max = 1 << 20) int hiddenSize,
        @Range(min = 1, max = 1 << 24) Optional<Integer> intermediateSize,
        @Range(min = 1, max = 1 << 12) int numHiddenLayers,
        @Range(min = 1, max = 1 << 12) int numAttentionHeads,
        @Range(min = 1, max = 1 << 12) Optional<Integer> numKeyValueHeads,
        @Range(min = 1, max = 1 << 14) Optional<Integer> headDim,
        @Range(min = 1) Optional<Integer> maxPositionEmbeddings,
        Optional<Activation> hiddenAct,
        @Range(above = 0) @Default("1e-5") double normEps,
        @Range(above = 0) Optional<Double> ropeTheta,
        Optional<RopeScaling> ropeScaling,
        @Range(min = 1) @Default("off") @EmptyWord("off") Optional<Integer> slidingWindow,
        Optional<Boolean> tieWordEmbeddings,
        @Range(min = 0) @Default("0.02") double initializerRange) {

    /// Llama 3.1's scaling of rotary frequencies.
    public record RopeScaling(
            @Range(min = 1) double factor,
            @Range(above = 0) double lowFreqFactor,
            @Range(above = 0) double highFreqFactor,
            @Range(min = 1) int originalMaxPositionEmbeddings)
            implements Checked {
        @Override
        public List<String> problems() {
            return highFreqFactor <= lowFreqFactor
                    ? List.of("high_freq_factor must be greater than low_freq_factor %s: got %s"
                            .formatted(lowFreqFactor, highFreqFactor))
                    : List.of();
        }
    }

    /// What is wrong with the sizes, a sentence each that begins with the key.
    ///
    /// @param tokenizerVocabSize tokens of the tokenizer, if that is known yet
    List<String> problems(OptionalInt tokenizerVocabSize, int sequenceLength) {
        List<String> problems = new ArrayList<>();
        if (vocabSize.isPresent() && vocabSize.get() < tokenizerVocabSize.orElse(0)) {
            problems.add("vocab_size must be at least the tokenizer's %d: got %d"
                    .formatted(tokenizerVocabSize.getAsInt(), vocabSize.get()));
        }
        if (architecture == Architecture.GPT2 && ropeTheta.isPresent()) {
            problems.add("rope_theta has no meaning for gpt2, which learns its positions: remove it");
        }
        if (architecture == Architecture.GPT2 && ropeScaling.isPresent()) {
            problems.add("rope_scaling has no meaning for gpt2, which learns its positions: remove it");
        }
        ModelConfig shape = shape(vocabSize.orElse(tokenizerVocabSize.orElse(1)), sequenceLength);
        if (headDim.isEmpty() && hiddenSize % numAttentionHeads != 0) {
            problems.add("num_attention_heads must divide hidden_size %d, unless head_dim is given: got %d"
                    .formatted(hiddenSize, numAttentionHeads));
            shape.problems().stream()
                    .filter(problem -> !problem.startsWith("head_dim") && !problem.startsWith("num_attention_heads"))
                    .forEach(problems::add);
        } else {
            problems.addAll(shape.problems());
        }
        return problems;
    }

    /// The shape, once the tokenizer is known.
    ///
    /// @throws QuernException if the sizes do not fit together
    ModelConfig resolve(int tokenizerVocabSize, int sequenceLength) {
        List<String> problems = problems(OptionalInt.of(tokenizerVocabSize), sequenceLength);
        if (!problems.isEmpty()) {
            throw QuernException.data("model." + String.join("\nmodel.", problems));
        }
        return shape(vocabSize.orElse(tokenizerVocabSize), sequenceLength);
    }

    private ModelConfig shape(int vocabSize, int sequenceLength) {
        boolean llama = architecture == Architecture.LLAMA;
        int usualIntermediate = llama ? Math.ceilDiv(8 * hiddenSize, 3 * 64) * 64 : 4 * hiddenSize;
        return new ModelConfig(
                architecture,
                vocabSize,
                hiddenSize,
                intermediateSize.orElse(usualIntermediate),
                numHiddenLayers,
                numAttentionHeads,
                numKeyValueHeads.orElse(numAttentionHeads),
                headDim.orElse(hiddenSize / numAttentionHeads),
                maxPositionEmbeddings.orElse(sequenceLength),
                hiddenAct.orElse(llama ? Activation.SILU : Activation.GELU_TANH),
                normEps,
                ropeTheta.orElse(10000.0),
                ropeScaling.map(scaling -> new ModelConfig.RopeScaling(
                        scaling.factor(),
                        scaling.lowFreqFactor(),
                        scaling.highFreqFactor(),
                        scaling.originalMaxPositionEmbeddings())),
                slidingWindow.orElse(0),
                tieWordEmbeddings.orElse(!llama),
                initializerRange);
    }
}
