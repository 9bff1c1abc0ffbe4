package org.quern.train;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.quern.data.Batches;
import org.quern.executor.Executor;
import org.quern.executor.Program;
import org.quern.executor.Readback;
import org.quern.executor.TensorStore;
import org.quern.graph.Recompute;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;
import org.quern.optimizer.OptimizerGraphs;
import org.quern.optimizer.OptimizerSettings;

/// One optimiser step on a device, in three parts: the gradient of a global batch, its norm, the update.
///
/// The loss is the mean over all tokens of the global batch, however it is cut into micro-batches.
public final class TrainingStep {
    private final TensorStore tensors;
    private final OptimizerSettings settings;
    private final int microBatch;
    private final int microBatches;
    private final int sequenceLength;
    private final Program first;
    private final Program others;
    private final Program norm;
    private final Program update;
    private final Readback losses;
    private double lossSum;

    /// @param microBatch sequences that the device takes at once
    /// @param microBatches micro-batches of a global batch
    /// @param recompute what the backward pass computes again
    public TrainingStep(
            Executor executor,
            Model model,
            OptimizerSettings settings,
            int microBatch,
            int microBatches,
            int sequenceLength,
            Recompute recompute) {
        this.settings = settings;
        this.microBatch = microBatch;
        this.microBatches = microBatches;
        this.sequenceLength = sequenceLength;
        tensors = executor.tensors();
        first = executor.prepare(ModelGraphs.training(model, microBatch, sequenceLength, false, recompute));
        others = microBatches == 1
                ? first
                : executor.prepare(ModelGraphs.training(model, microBatch, sequenceLength, true, recompute));
        OptimizerGraphs optimizer = new OptimizerGraphs(settings, model.parameters());
        norm = executor.prepare(optimizer.norm());
        update = executor.prepare(optimizer.update());
        losses = tensors.readback(ModelGraphs.LOSSES, microBatches, memory -> lossSum += sum(memory));
    }

    /// Tokens of a global batch.
    public long tokens() {
        return (long) microBatch * microBatches * sequenceLength;
    }

    /// The program of the first micro-batch, which needs the most memory.
    public Program forwardAndBackward() {
        return first;
    }

    /// Starts to compute the gradient of the global batch that begins with sample `firstSample`. The device gets the
    /// next micro-batch while it is at one.
    public void gradient(Batches batches, long firstSample) {
        tensors.host(ModelGraphs.LOSS_SCALE).set(ValueLayout.JAVA_FLOAT, 0, (float) (1.0 / tokens()));
        tensors.push(ModelGraphs.LOSS_SCALE);
        losses.finish();
        lossSum = 0;
        for (int i = 0; i < microBatches; i++) {
            load(tensors, batches, firstSample + (long) i * microBatch, microBatch);
            (i == 0 ? first : others).run();
            losses.request();
        }
    }

    /// The mean loss of the global batch in nats a token. Who wants the norm too asks for that first: it is there once
    /// the device has been waited for.
    public double loss() {
        losses.finish();
        return lossSum / tokens();
    }

    /// The norm of the gradient, before clipping.
    public double gradNorm() {
        norm.run();
        tensors.pull(OptimizerGraphs.CLIP);
        return tensors.host(OptimizerGraphs.CLIP).get(ValueLayout.JAVA_FLOAT, 0);
    }

    /// Changes the weights.
    ///
    /// @param updates updates before this one
    /// @param fraction of the peak learning rates
    public void update(long updates, double fraction) {
        double t = updates + 1;
        scalars(
                OptimizerGraphs.ADAMW_SCALARS,
                fraction * settings.lr(),
                1 - Math.pow(settings.beta1(), t),
                1 - Math.pow(settings.beta2(), t));
        settings.muon().ifPresent(muon -> scalars(OptimizerGraphs.MUON_SCALARS, fraction * muon.lr(), 0, 0));
        update.run();
    }

    private void scalars(String name, double... values) {
        MemorySegment memory = tensors.host(name);
        for (int i = 0; i < values.length; i++) {
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) values[i]);
        }
        tensors.push(name);
    }

    /// Puts samples into the inputs of a model.
    static void load(TensorStore tensors, Batches batches, long firstSample, int count) {
        batches.fill(
                firstSample,
                count,
                tensors.host(ModelGraphs.TOKENS),
                tensors.host(ModelGraphs.TARGETS),
                tensors.host(ModelGraphs.POSITIONS),
                tensors.host(ModelGraphs.DOCUMENT_START));
        for (String name : ModelGraphs.BATCH) {
            tensors.pushAhead(name);
        }
    }

    /// The sum of the losses of the last batch.
    static double lossSum(TensorStore tensors) {
        tensors.pull(ModelGraphs.LOSSES);
        return sum(tensors.host(ModelGraphs.LOSSES));
    }

    private static double sum(MemorySegment losses) {
        double sum = 0;
        long count = losses.byteSize() / Float.BYTES;
        for (long i = 0; i < count; i++) {
            sum += losses.getAtIndex(ValueLayout.JAVA_FLOAT, i);
        }
        return sum;
    }
}
