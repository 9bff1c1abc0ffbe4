package org.quern.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.quern.base.QuernException;
import org.quern.config.RunConfig;
import org.quern.config.TokenizerSection;
import org.quern.graph.Recompute;
import org.quern.model.Model;
import org.quern.tokenizer.Tokenizer;

/// What a run needs, computed without running anything.
///
/// Several devices share the sequences of a step (data parallelism): each holds all weights, gradients and
/// moments, and the gradients are summed over the devices once a step.
///
/// @param devices how many of that device
/// @param parameters trained values
/// @param cut how the global batch is cut
/// @param microBatches micro-batches of a step on each device
/// @param recompute what the backward pass computes again
/// @param memory of each device
/// @param expected how long a step takes, where that is known
/// @param remedies what would make the run fit, if it does not
public record RunPlan(
        Device device,
        int devices,
        Cut cut,
        long parameters,
        int microBatches,
        Recompute recompute,
        long tokensPerStep,
        Memory memory,
        Flop flop,
        Optional<Expected> expected,
        List<String> remedies) {

    /// How a global batch is cut: what decides in which order gradients are summed.
    ///
    /// @param shares equal parts, dealt out to the workers
    /// @param microBatch sequences of a share that go through the model at once
    public record Cut(int shares, int microBatch) {}

    /// Bytes of each part.
    ///
    /// @param weights of all parameters, fp32
    /// @param workingCopies of the parameters in bf16, and in floats of 8 bits
    /// @param gradients of all parameters
    /// @param sums of gradients over some of a worker's shares
    /// @param optimizer the optimiser's moments
    /// @param activations that live at the same time, with their gradients, a chunk of logits, inputs and
    ///     losses
    /// @param workspace scratch and constant tables of a GPU's kernels
    /// @param caches keys and values of the samples that are written on the way
    /// @param checkpoint the copy of weights and moments that is written to the disk in the background, where the
    ///     device has no memory of its own
    public record Memory(
            long weights,
            long workingCopies,
            long gradients,
            long sums,
            long optimizer,
            long activations,
            long workspace,
            long caches,
            long checkpoint) {
        public long total() {
            return weights
                    + workingCopies
                    + gradients
                    + sums
                    + optimizer
                    + activations
                    + workspace
                    + caches
                    + checkpoint;
        }
    }

    /// Floating-point operations for a token.
    ///
    /// @param model what the model's formula says: [Model#flopPerToken]
    /// @param device what the device does: forward and backward pass and update, counted operation by operation
    /// @param recomputed the part of the latter that computes something again
    public record Flop(double model, double device, double recomputed) {}

    /// Seconds of a step, expected from peaks and assumptions.
    ///
    /// @param computing forward and backward passes and update
    /// @param reducing the sum of the gradients over the devices, as if nothing else went on meanwhile
    public record Expected(double computing, double reducing) {
        public double seconds() {
            return computing + reducing;
        }
    }

    /// Plans the run of a config on a device, whose data need not be there; a tokenizer's file must be.
    public static RunPlan of(RunConfig config, Device device) {
        return of(config, device, 1);
    }

    /// Plans the run of a config on several devices.
    ///
    /// @throws QuernException if they cannot share its sequences
    public static RunPlan of(RunConfig config, Device device, int devices) {
        TokenizerSection tokenizer = config.tokenizer();
        int vocabSize = tokenizer
                .train()
                .map(TokenizerSection.Training::vocabSize)
                .or(tokenizer::vocabSize)
                .orElseGet(() -> Tokenizer.read(tokenizer.file().orElseThrow()).vocabSize());
        return of(config, Model.of(config.modelConfig(vocabSize)), device, devices, Optional.empty());
    }

    /// Plans the run of a config whose model is known.
    ///
    /// @param before how its batches were cut before, if that is to stay
    static RunPlan of(RunConfig config, Model model, Device device, int devices, Optional<Cut> before) {
        return new RunPlanner(config, model, device, devices, before).plan();
    }

    /// Sequences that go through the model at once.
    public int microBatch() {
        return cut.microBatch();
    }

    /// How a training step deals out its sequences.
    Sharing sharing(RunConfig.Workers workers) {
        return new Sharing(
                cut.shares(),
                cut.microBatch(),
                microBatches * devices / cut.shares(),
                workers.zeroStage() == 1,
                (long) workers.bucketMib() << 20);
    }

    RunPlan withRemedies(List<String> ways) {
        return new RunPlan(
                device, devices, cut, parameters, microBatches, recompute, tokensPerStep, memory, flop, expected, ways);
    }

    /// Tokens a second of all devices.
    public Optional<Double> tokensPerSecond() {
        return expected.map(step -> tokensPerStep / step.seconds());
    }

    /// A step of another number of devices, each with as many sequences as here (weak scaling).
    ///
    /// @param seconds with the sums of gradients beside the backward pass
    /// @param efficiency its speed for each device, relative to one that is alone
    public record Scaled(int devices, double reducing, double seconds, double efficiency) {}

    /// Expects steps of other numbers of devices, where the speed of this one is known.
    public Optional<Scaled> scaledTo(int others) {
        return expected.flatMap(step -> device.speed().map(speed -> {
            double reducing = Roofline.allReduceSeconds(parameters * Float.BYTES, others, speed);
            double seconds = step.computing() + Roofline.exposedSeconds(reducing, step.computing(), microBatches);
            return new Scaled(others, reducing, seconds, step.computing() / seconds);
        }));
    }

    /// The share of the devices' published peak that the model's own operations make use of.
    public Optional<Double> utilization() {
        return device.speed()
                .flatMap(speed -> tokensPerSecond().map(tokens -> tokens * flop.model() / (devices * speed.flop())));
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
        List<String> rows = new ArrayList<>();
        rows.add(row("parameters", "%,d".formatted(parameters), ""));
        rows.add(row("weights", Units.bytes(memory.weights()), "fp32"));
        if (device.mixedPrecision()) {
            rows.add(row("working copies", Units.bytes(memory.workingCopies()), "weights in bf16 or fewer bits"));
        }
        rows.add(row("gradients", Units.bytes(memory.gradients()), "fp32"));
        if (memory.sums() > 0) {
            rows.add(row("sums", Units.bytes(memory.sums()), "fp32 gradients of shares of a batch"));
        }
        rows.add(row("optimiser", Units.bytes(memory.optimizer()), "moments"));
        rows.add(row(
                "activations",
                Units.bytes(memory.activations()),
                "micro-batch of " + counted(microBatch(), "sequence", "sequences")));
        if (device.mixedPrecision()) {
            rows.add(row("workspace", Units.bytes(memory.workspace()), "the kernels' scratch and tables"));
        }
        rows.add(row("samples", Units.bytes(memory.caches()), "keys and values"));
        if (memory.checkpoint() > 0) {
            rows.add(row("checkpoint", Units.bytes(memory.checkpoint()), "copy of weights and moments on their way"));
        }
        String of = "of " + Units.bytes(device.memoryBytes());
        rows.add(row(
                "total",
                Units.bytes(memory.total()),
                devices == 1 ? of : of + " of each of %d devices".formatted(devices)));
        rows.add(row(
                "recomputation",
                recompute.name().toLowerCase(Locale.ROOT),
                recompute == Recompute.NONE ? "" : Units.count(flop.recomputed()) + "FLOP a token more"));
        String batches = counted(microBatches, "micro-batch", "micro-batches");
        rows.add(row(
                "tokens a step", "%,d".formatted(tokensPerStep), devices == 1 ? batches : batches + " on each device"));
        rows.add(row(
                "FLOP a token",
                Units.count(flop.model()),
                "of the model: 6 x weights in products + 12 x layers x width of attention x tokens seen"));
        rows.add(row("  on the device", Units.count(flop.device()), "forward, backward and update, counted op by op"));
        expected.ifPresent(step -> {
            rows.add(row(
                    "tokens/s",
                    "%,.0f".formatted(tokensPerSecond().orElseThrow()),
                    "%.0f %% of peak by the model's FLOP"
                            .formatted(100 * utilization().orElseThrow())));
            rows.add(row("", "", Roofline.ASSUMED));
            if (devices > 1) {
                rows.add(row(
                        "  gradients",
                        "%.1f ms".formatted(1000 * step.reducing()),
                        "of %.1f ms a step: summed over the devices, not overlapped".formatted(1000 * step.seconds())));
            }
        });
        return String.join("\n", rows);
    }

    private static String row(String name, String value, String note) {
        return "%-16s %17s   %s".formatted(name, value, note).stripTrailing();
    }

    private static String counted(int count, String one, String many) {
        return "%d %s".formatted(count, count == 1 ? one : many);
    }
}
