package org.quern.train;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.executor.ProgramMemory;
import org.quern.generate.GraphDecoder;
import org.quern.graph.Graph;
import org.quern.graph.Recompute;
import org.quern.graph.Value;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;
import org.quern.model.Parameter;
import org.quern.optimizer.OptimizerGraphs;

/// Makes plans of a run: builds the graphs that the run would, and adds up what they need.
final class RunPlanner {
    /// A micro-batch of fewer tokens is slower than computing more again.
    private static final int FEW_TOKENS = 1024;

    /// Sequences are not proposed to be shorter.
    private static final int SHORTEST = 64;

    private final RunConfig config;
    private final Model model;
    private final Device device;
    private final int devices;

    /// Shares of a global batch, and sequences of each.
    private final int shares;

    private final int share;

    /// The sequences of a micro-batch, if that is not to be chosen.
    private final Optional<Integer> micro;

    private final OptimizerGraphs optimizer;
    private final Graph norm;
    private final Graph update;

    /// What the graphs need that do not depend on the micro-batch.
    private final ProgramMemory fixed;

    /// @param before how the run was cut before, if that is to stay
    RunPlanner(RunConfig config, Model model, Device device, int devices, Optional<RunPlan.Cut> before) {
        this.config = config;
        this.model = model;
        this.device = device;
        this.devices = devices;
        shares = before.map(RunPlan.Cut::shares).orElseGet(() -> shares(config, device, devices));
        share = config.train().globalBatch() / shares;
        micro = before.map(RunPlan.Cut::microBatch).or(config.train()::microBatch);
        optimizer = new OptimizerGraphs(config.optimizerSettings(), model.parameters());
        norm = lower(optimizer.norm());
        update = lower(optimizer.update());
        fixed = new ProgramMemory(device.gpu(), config.kernels().provider());
        fixed.add(norm);
        fixed.add(update);
        if (config.sample().isPresent()) {
            GraphDecoder.graphs(model, 1, model.config().maxPositionEmbeddings()).stream()
                    .map(this::lower)
                    .forEach(fixed::add);
        }
    }

    private static int shares(RunConfig config, Device device, int devices) {
        int batch = config.train().globalBatch();
        if (batch % devices != 0) {
            throw QuernException.data(
                    "the number of workers must divide train.global_batch %d: got %d".formatted(batch, devices));
        }
        int size = config.train().microBatch().orElse(1);
        Optional<Integer> given = config.workers().shares();
        if (given.isPresent() && given.get() % devices != 0) {
            throw QuernException.data(
                    "the number of workers must divide workers.shares %d: got %d".formatted(given.get(), devices));
        }
        IntStream proposed = given.map(IntStream::of)
                .orElseGet(() -> device.mixedPrecision() ? IntStream.of(devices) : IntStream.of(4, 2, 1, devices));
        return proposed.filter(shares -> shares % devices == 0 && batch % (shares * size) == 0)
                .findFirst()
                .orElseThrow(() -> QuernException.data(
                        "train.micro_batch must divide the %d sequences of a step on each of %d workers: got %d"
                                .formatted(batch / devices, devices, size)));
    }

    /// The plan of the micro-batch and the recomputation that the config gives. What it leaves open is chosen:
    /// the least recomputation with which a micro-batch fits that is not too small, and then the largest
    /// micro-batch, as far as that makes the device faster. If none fits, it is what needs the least memory.
    RunPlan plan() {
        int length = config.train().sequenceLength();
        RunPlan plan = best(length, sizes(length), policies());
        return plan.fits() ? plan : plan.withRemedies(remedies(plan));
    }

    private List<Recompute> policies() {
        return config.train().recompute().map(List::of).orElse(List.of(Recompute.values()));
    }

    /// Micro-batches to choose from, the largest first.
    private List<Integer> sizes(int length) {
        return micro.map(List::of).orElseGet(() -> divisors(length));
    }

    /// The divisors of a share, as far as more sequences at once make the device faster.
    private List<Integer> divisors(int length) {
        int enough = Math.clamp(device.enoughTokens() / length, 1, share);
        return IntStream.iterate(enough, size -> size >= 1, size -> size - 1)
                .filter(size -> share % size == 0)
                .boxed()
                .toList();
    }

    private RunPlan best(int length, List<Integer> sizes, List<Recompute> policies) {
        int few = Math.min(sizes.getFirst(), Math.ceilDiv(FEW_TOKENS, length));
        List<RunPlan> fitting = new ArrayList<>();
        for (Recompute recompute : policies) {
            Optional<RunPlan> largest = largest(length, sizes, recompute);
            if (largest.filter(plan -> plan.microBatch() >= few).isPresent()) {
                return largest.get();
            }
            largest.ifPresent(fitting::add);
        }
        return fitting.stream()
                .max(Comparator.comparingInt(RunPlan::microBatch))
                .orElseGet(() -> plan(length, sizes.getLast(), policies.getLast()));
    }

    /// The plan of the largest size that fits, by bisection: a smaller one needs less.
    private Optional<RunPlan> largest(int length, List<Integer> sizes, Recompute recompute) {
        Optional<RunPlan> found = Optional.empty();
        int from = 0;
        int to = statesFit() ? sizes.size() : 0;
        while (from < to) {
            int middle = (from + to) / 2;
            RunPlan plan = plan(length, sizes.get(middle), recompute);
            if (plan.fits()) {
                found = Optional.of(plan);
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        return found;
    }

    /// Whether there is room for what does not depend on the micro-batch.
    private boolean statesFit() {
        return fixed.stateBytes() + fixed.workingCopyBytes() + fixed.tableBytes() <= device.usableBytes();
    }

    private Graph lower(Graph graph) {
        return device.lower(graph, config.kernels().provider());
    }

    private RunPlan plan(int length, int microBatch, Recompute recompute) {
        Graph training = lower(ModelGraphs.training(model, microBatch, length, false, recompute));
        Graph plain =
                recompute == Recompute.NONE ? training : lower(ModelGraphs.training(model, microBatch, length, false));
        int microBatches = share / microBatch * (shares / devices);
        ProgramMemory needs = fixed.copy();
        needs.add(training);
        if (share > microBatch) {
            needs.add(lower(ModelGraphs.training(model, microBatch, length, true, recompute)));
        }
        if (config.evaluate().isPresent()) {
            needs.add(lower(ModelGraphs.evaluation(model, microBatch, length)));
        }
        RunPlan.Memory memory = parts(needs, training);
        double tokens = (double) microBatch * length;
        double forwardAndBackward = training.cost().flop();
        double optimizing = norm.cost().flop() + update.cost().flop();
        return new RunPlan(
                device,
                devices,
                new RunPlan.Cut(shares, microBatch),
                model.parameterCount(),
                microBatches,
                recompute,
                (long) config.train().globalBatch() * length,
                memory,
                new RunPlan.Flop(
                        model.flopPerToken(length),
                        (forwardAndBackward + optimizing / microBatches) / tokens,
                        (forwardAndBackward - plain.cost().flop()) / tokens),
                device.speed().map(speed -> expected(training, microBatches, speed)),
                List.of());
    }

    private RunPlan.Expected expected(Graph training, int microBatches, Device.Speed speed) {
        long gradients = model.parameterCount() * Float.BYTES;
        double computing = microBatches * Roofline.seconds(training, speed)
                + Roofline.seconds(norm, speed)
                + Roofline.seconds(update, speed);
        return new RunPlan.Expected(computing, Roofline.allReduceSeconds(gradients, devices, speed));
    }

    private RunPlan.Memory parts(ProgramMemory needs, Graph training) {
        Map<String, Value> states = needs.states();
        List<String> parameters =
                model.parameters().stream().map(Parameter::name).toList();
        long weights = bytes(states, parameters.stream());
        long gradients = bytes(states, parameters.stream().map(ModelGraphs::gradient));
        long folds = gradients * GradientFold.levels(shares / devices);
        long moments = bytes(states, optimizer.states().stream());
        long ownMoments = config.workers().zeroStage() == 0 ? moments : largestPartOfMoments(training, states);
        long caches = bytes(states, states.keySet().stream().filter(ModelGraphs::isCache));
        long inputs = needs.stateBytes() - weights - gradients - moments - caches;
        long ahead = device.mixedPrecision() ? bytes(states, ModelGraphs.BATCH.stream()) : 0;
        long checkpoint = device.mixedPrecision() ? 0 : weights + ownMoments;
        return new RunPlan.Memory(
                weights,
                needs.workingCopyBytes(),
                gradients,
                folds,
                ownMoments,
                inputs + ahead + needs.arenaBytes(),
                needs.scratchBytes() + needs.tableBytes(),
                caches,
                checkpoint);
    }

    /// The optimiser's states of the worker that has the most.
    private long largestPartOfMoments(Graph training, Map<String, Value> states) {
        ParameterLayout layout = ParameterLayout.of(training, model.parameters(), devices, 1);
        return IntStream.range(0, devices)
                .mapToLong(rank -> bytes(
                        states, new OptimizerGraphs(config.optimizerSettings(), layout.owned(rank)).states().stream()))
                .max()
                .orElseThrow();
    }

    private static long bytes(Map<String, Value> states, Stream<String> names) {
        return names.mapToLong(name -> states.get(name).bytes()).sum();
    }

    /// What would make a run fit that does not, by plans that do.
    private List<String> remedies(RunPlan plan) {
        List<String> remedies = new ArrayList<>();
        int length = config.train().sequenceLength();
        List<Recompute> all = List.of(Recompute.values());
        RunPlan smaller = best(length, divisors(length), all);
        if (smaller.fits()) {
            List<String> keys = new ArrayList<>();
            if (smaller.microBatch() != plan.microBatch()) {
                keys.add("train.micro_batch=" + smaller.microBatch());
            }
            if (smaller.recompute() != plan.recompute()) {
                keys.add("train.recompute=" + smaller.recompute().name().toLowerCase(Locale.ROOT));
            }
            remedies.add(String.join(" with ", keys));
        }
        IntStream.iterate(length / 2, shorter -> shorter >= SHORTEST, shorter -> shorter / 2)
                .filter(_ -> statesFit())
                .filter(shorter -> best(shorter, sizes(shorter), policies()).fits())
                .findFirst()
                .ifPresent(shorter -> remedies.add("train.sequence_length=" + shorter));
        if (remedies.isEmpty()) {
            remedies.add("a smaller model");
        }
        long least = plan(length, 1, Recompute.BLOCK).memory().total();
        remedies.add("a device with %s of memory".formatted(Units.bytes((long) (least / device.usable()))));
        return remedies;
    }
}
