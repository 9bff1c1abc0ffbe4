package org.quern.train;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.config.TokenizerSection;
import org.quern.graph.Graph;
import org.quern.graph.MemoryPlan;
import org.quern.graph.Schedule;
import org.quern.graph.Value;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;
import org.quern.optimizer.OptimizerGraphs;
import org.quern.optimizer.OptimizerSettings;
import org.quern.tokenizer.Tokenizer;

/// What a run needs, computed without running anything.
///
/// @param parameters trained values
/// @param microBatch sequences that go through the model at once
/// @param microBatches micro-batches of a step
/// @param weightBytes of all parameters
/// @param gradientBytes of all gradients
/// @param optimizerBytes of the optimiser's moments
/// @param activationBytes the arena: activations, and the gradients of activations, that live at the same time
/// @param flopPerToken floating-point operations of forward and backward pass and update, for a token
/// @param machineBytes memory of this machine
public record RunPlan(
        long parameters,
        int microBatch,
        int microBatches,
        long tokensPerStep,
        long weightBytes,
        long gradientBytes,
        long optimizerBytes,
        long activationBytes,
        double flopPerToken,
        long machineBytes) {
    /// More tokens at once make a CPU no faster.
    private static final int ENOUGH_TOKENS = 4096;

    /// What is left for the JVM, the kernels' scratch and the operating system.
    private static final double USABLE = 0.9;

    /// Plans the run of a config, whose data need not be there; a tokenizer's file must be.
    public static RunPlan of(RunConfig config) {
        TokenizerSection tokenizer = config.tokenizer();
        int vocabSize = tokenizer
                .train()
                .map(TokenizerSection.Training::vocabSize)
                .or(tokenizer::vocabSize)
                .orElseGet(() -> Tokenizer.read(tokenizer.file().orElseThrow()).vocabSize());
        return of(config, Model.of(config.modelConfig(vocabSize)));
    }

    /// Plans the run of a config whose model is known.
    static RunPlan of(RunConfig config, Model model) {
        RunConfig.Train train = config.train();
        return of(model, config.optimizerSettings(), train.globalBatch(), train.microBatch(), train.sequenceLength());
    }

    /// Plans a run.
    ///
    /// @param microBatch sequences at once; chosen if empty
    static RunPlan of(
            Model model, OptimizerSettings optimizer, int globalBatch, Optional<Integer> microBatch, int length) {
        if (microBatch.isPresent()) {
            return of(model, optimizer, globalBatch, microBatch.get(), length);
        }
        List<Integer> divisors = IntStream.rangeClosed(1, globalBatch)
                .filter(size -> globalBatch % size == 0 && (size == 1 || (long) size * length <= ENOUGH_TOKENS))
                .boxed()
                .toList()
                .reversed();
        return divisors.stream()
                .map(size -> of(model, optimizer, globalBatch, size.intValue(), length))
                .filter(RunPlan::fits)
                .findFirst()
                .orElseGet(() -> of(model, optimizer, globalBatch, 1, length));
    }

    private static RunPlan of(Model model, OptimizerSettings settings, int globalBatch, int microBatch, int length) {
        Graph training = ModelGraphs.training(model, microBatch, length, false);
        OptimizerGraphs optimizer = new OptimizerGraphs(settings, model.parameters());
        Graph update = optimizer.update();
        long weights = model.parameterCount() * Float.BYTES;
        List<String> moments = optimizer.states();
        double tokens = (double) microBatch * length;
        double flop = training.cost().flop() / tokens
                + (optimizer.norm().cost().flop() + update.cost().flop()) / ((double) globalBatch * length);
        return new RunPlan(
                model.parameterCount(),
                microBatch,
                globalBatch / microBatch,
                (long) globalBatch * length,
                weights,
                weights,
                update.states().values().stream()
                        .filter(state -> moments.contains(state.name()))
                        .mapToLong(Value::bytes)
                        .sum(),
                Math.max(arena(training), arena(update)),
                flop,
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize());
    }

    private static long arena(Graph graph) {
        return MemoryPlan.of(Schedule.of(graph)).bytes();
    }

    public long totalBytes() {
        return weightBytes + gradientBytes + optimizerBytes + activationBytes;
    }

    public boolean fits() {
        return totalBytes() <= USABLE * machineBytes;
    }

    /// @throws QuernException if the run does not fit, with what would make it fit
    void requireFit() {
        if (!fits()) {
            throw QuernException.data(this + "\n" + howToFit());
        }
    }

    /// What would make a run fit that does not.
    public String howToFit() {
        List<String> ways = new ArrayList<>();
        if (microBatch > 1 && totalBytes() - activationBytes < USABLE * machineBytes) {
            ways.add("a train.micro_batch below " + microBatch);
        }
        ways.add("a train.sequence_length shorter than %d".formatted(tokensPerStep / microBatch / microBatches));
        ways.add("a smaller model");
        ways.add("a machine with %s of memory".formatted(Units.bytes((long) (totalBytes() / USABLE))));
        return "a run must fit into %.0f %% of the machine's memory, %s: this one needs %s (try %s)"
                .formatted(
                        USABLE * 100,
                        Units.bytes((long) (USABLE * machineBytes)),
                        Units.bytes(totalBytes()),
                        String.join(", or ", ways));
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
                total            %17s   of %s
                tokens a step    %,17d   %d micro-batch%s
                FLOP a token     %17s   forward, backward and update, counted op by op""".formatted(
                        parameters,
                        Units.bytes(weightBytes),
                        Units.bytes(gradientBytes),
                        Units.bytes(optimizerBytes),
                        Units.bytes(activationBytes),
                        microBatch,
                        microBatch == 1 ? "" : "s",
                        Units.bytes(totalBytes()),
                        Units.bytes(machineBytes),
                        tokensPerStep,
                        microBatches,
                        microBatches == 1 ? "" : "es",
                        Units.count(flopPerToken));
    }
}
