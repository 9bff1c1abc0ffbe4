package org.quern.train;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.config.TokenizerSection;
import org.quern.generate.GraphDecoder;
import org.quern.graph.Graph;
import org.quern.graph.MemoryPlan;
import org.quern.graph.Schedule;
import org.quern.graph.Value;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;
import org.quern.model.Parameter;
import org.quern.optimizer.OptimizerGraphs;
import org.quern.tokenizer.Tokenizer;

/// What a run needs, computed without running anything.
///
/// @param parameters trained values
/// @param microBatch sequences that go through the model at once
/// @param microBatches micro-batches of a step
/// @param weightBytes of all parameters
/// @param gradientBytes of all gradients
/// @param optimizerBytes of the optimiser's moments
/// @param activationBytes activations, and the gradients of activations, that live at the same time; inputs, losses
/// @param cacheBytes keys and values of the samples that are written on the way
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
        long cacheBytes,
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

    /// Plans the run of a config whose model is known. If it does not say how many sequences go through the model at
    /// once, it is the largest divisor of the global batch that fits and is of use.
    static RunPlan of(RunConfig config, Model model) {
        RunConfig.Train train = config.train();
        if (train.microBatch().isPresent()) {
            return of(config, model, train.microBatch().get());
        }
        int enough = Math.min(train.globalBatch(), ENOUGH_TOKENS / train.sequenceLength());
        return IntStream.iterate(enough, size -> size > 1, size -> size - 1)
                .filter(size -> train.globalBatch() % size == 0)
                .mapToObj(size -> of(config, model, size))
                .filter(RunPlan::fits)
                .findFirst()
                .orElseGet(() -> of(config, model, 1));
    }

    private static RunPlan of(RunConfig config, Model model, int microBatch) {
        int length = config.train().sequenceLength();
        Graph training = ModelGraphs.training(model, microBatch, length, false);
        OptimizerGraphs optimizer = new OptimizerGraphs(config.optimizerSettings(), model.parameters());
        Graph norm = optimizer.norm();
        Graph update = optimizer.update();
        List<Graph> graphs = new ArrayList<>(List.of(training, norm, update));
        config.sample()
                .map(_ -> GraphDecoder.graph(model, 1, model.config().maxPositionEmbeddings()))
                .ifPresent(graphs::add);
        Map<String, Value> states = new HashMap<>();
        graphs.forEach(graph -> states.putAll(graph.states()));
        List<String> parameters =
                model.parameters().stream().map(Parameter::name).toList();
        long weights = bytes(states, parameters.stream());
        long gradients = bytes(states, parameters.stream().map(ModelGraphs::gradient));
        long moments = bytes(states, optimizer.states().stream());
        long caches = bytes(states, states.keySet().stream().filter(ModelGraphs::isCache));
        long others = bytes(states, states.keySet().stream()) - weights - gradients - moments - caches;
        double flop = training.cost().flop() / ((double) microBatch * length)
                + (norm.cost().flop() + update.cost().flop()) / config.train().tokensPerStep();
        return new RunPlan(
                model.parameterCount(),
                microBatch,
                config.train().globalBatch() / microBatch,
                config.train().tokensPerStep(),
                weights,
                gradients,
                moments,
                others + graphs.stream().mapToLong(RunPlan::arena).max().orElseThrow(),
                caches,
                flop,
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize());
    }

    private static long bytes(Map<String, Value> states, Stream<String> names) {
        return names.mapToLong(name -> states.get(name).bytes()).sum();
    }

    private static long arena(Graph graph) {
        return MemoryPlan.of(Schedule.of(graph)).bytes();
    }

    public long totalBytes() {
        return weightBytes + gradientBytes + optimizerBytes + activationBytes + cacheBytes;
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
                samples          %17s   keys and values
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
                        Units.bytes(cacheBytes),
                        Units.bytes(totalBytes()),
                        Units.bytes(machineBytes),
                        tokensPerStep,
                        microBatches,
                        microBatches == 1 ? "" : "es",
                        Units.count(flopPerToken));
    }
}
