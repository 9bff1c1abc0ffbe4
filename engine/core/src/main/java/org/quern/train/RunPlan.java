package org.quern.train;

import java.util.List;
import java.util.Locale;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.config.TokenizerSection;
import org.quern.graph.Recompute;
import org.quern.model.Model;
import org.quern.tokenizer.Tokenizer;

/// What a run needs, computed without running anything.
///
/// @param parameters trained values
/// @param microBatch sequences that go through the model at once
/// @param microBatches micro-batches of a step
/// @param recompute what the backward pass computes again
/// @param flopPerToken floating-point operations of forward and backward pass and update, for a token
/// @param recomputedFlopPerToken of these, the ones that compute something again
/// @param remedies what would make the run fit, if it does not
public record RunPlan(
        Device device,
        long parameters,
        int microBatch,
        int microBatches,
        Recompute recompute,
        long tokensPerStep,
        Memory memory,
        double flopPerToken,
        double recomputedFlopPerToken,
        List<String> remedies) {

    /// Bytes of each part.
    ///
    /// @param weights of all parameters
    /// @param gradients of all parameters
    /// @param optimizer the optimiser's moments
    /// @param activations that live at the same time, with their gradients, a chunk of logits, inputs and losses
    /// @param caches keys and values of the samples that are written on the way
    public record Memory(long weights, long gradients, long optimizer, long activations, long caches) {
        public long total() {
            return weights + gradients + optimizer + activations + caches;
        }
    }

    /// Plans the run of a config on a device, whose data need not be there; a tokenizer's file must be.
    public static RunPlan of(RunConfig config, Device device) {
        TokenizerSection tokenizer = config.tokenizer();
        int vocabSize = tokenizer
                .train()
                .map(TokenizerSection.Training::vocabSize)
                .or(tokenizer::vocabSize)
                .orElseGet(() -> Tokenizer.read(tokenizer.file().orElseThrow()).vocabSize());
        return of(config, Model.of(config.modelConfig(vocabSize)), device);
    }

    /// Plans the run of a config whose model is known.
    static RunPlan of(RunConfig config, Model model, Device device) {
        return new RunPlanner(config, model, device).plan();
    }

    RunPlan withRemedies(List<String> ways) {
        return new RunPlan(
                device,
                parameters,
                microBatch,
                microBatches,
                recompute,
                tokensPerStep,
                memory,
                flopPerToken,
                recomputedFlopPerToken,
                ways);
    }

    public boolean fits() {
        return memory.total() <= device.usableBytes();
    }

    /// @throws QuernException if the run does not fit, with what would make it fit
    void requireFit() {
        if (!fits()) {
            throw QuernException.data(this + "\n" + howToFit());
        }
    }

    /// What would make a run fit that does not.
    public String howToFit() {
        return "a run must fit into %.0f %% of the memory of %s, %s: this one needs %s (try %s)"
                .formatted(
                        device.usable() * 100,
                        device.name(),
                        Units.bytes(device.usableBytes()),
                        Units.bytes(memory.total()),
                        String.join(", or ", remedies));
    }

    /// The plan as a table for people.
    @Override
    public String toString() {
        return """
                parameters       %,17d
                weights          %17s   fp32
                gradients        %17s   fp32
                optimiser        %17s   fp32 moments
                activations      %17s   micro-batch of %d sequence%s
                samples          %17s   keys and values
                total            %17s   of %s
                recomputation    %17s   %sFLOP a token
                tokens a step    %,17d   %d micro-batch%s
                FLOP a token     %17s   forward, backward and update, counted op by op""".formatted(
                        parameters,
                        Units.bytes(memory.weights()),
                        Units.bytes(memory.gradients()),
                        Units.bytes(memory.optimizer()),
                        Units.bytes(memory.activations()),
                        microBatch,
                        microBatch == 1 ? "" : "s",
                        Units.bytes(memory.caches()),
                        Units.bytes(memory.total()),
                        Units.bytes(device.memoryBytes()),
                        recompute.name().toLowerCase(Locale.ROOT),
                        Units.count(recomputedFlopPerToken),
                        tokensPerStep,
                        microBatches,
                        microBatches == 1 ? "" : "es",
                        Units.count(flopPerToken));
    }
}
