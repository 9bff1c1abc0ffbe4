package org.quern.train;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.quern.data.Batches;
import org.quern.executor.Executor;
import org.quern.executor.Milestone;
import org.quern.executor.Program;
import org.quern.executor.Readback;
import org.quern.executor.TensorStore;
import org.quern.graph.Graph;
import org.quern.graph.Recompute;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;
import org.quern.optimizer.OptimizerGraphs;
import org.quern.optimizer.OptimizerSettings;

/// One optimiser step, in three parts: the gradient of a global batch, its norm, the update.
///
/// The loss is the mean over all tokens of the global batch, however it is dealt out.
public final class TrainingStep implements AutoCloseable {
    private final Workers workers;
    private final TensorStore tensors;
    private final OptimizerSettings settings;
    private final Sharing sharing;
    private final int sequenceLength;

    /// Shares of this worker.
    private final int shares;

    private final Optional<ParameterLayout> dealtOut;
    private final GradientFold fold;
    private final Optional<GradientExchange> exchange;
    private final Program first;
    private final Program others;
    private final GradientNorm norm;
    private final Program update;

    /// The sums of the losses of its shares, and how many micro-batches are in them.
    private final double[] lossSums;

    private final Readback losses;
    private int microBatchesRead;

    /// @param recompute what the backward pass computes again
    public TrainingStep(
            Executor executor,
            Model model,
            OptimizerSettings settings,
            Sharing sharing,
            int sequenceLength,
            Recompute recompute,
            Workers workers) {
        this.settings = settings;
        this.sharing = sharing;
        this.sequenceLength = sequenceLength;
        this.workers = workers;
        shares = sharing.shares() / workers.world();
        lossSums = new double[shares];
        tensors = executor.tensors();
        Graph training = ModelGraphs.training(model, sharing.microBatch(), sequenceLength, false, recompute);
        ParameterLayout layout =
                ParameterLayout.of(training, model.parameters(), workers.world(), sharing.bucketBytes());
        boolean sharded = sharing.shardOptimizer() && workers.world() > 1;
        dealtOut = sharded ? Optional.of(layout) : Optional.empty();
        if (workers.world() > 1) {
            tensors.declareTogether(layout.gradients(training));
            tensors.declareTogether(layout.parameters(training));
            exchange = Optional.of(new GradientExchange(workers.gradients(), tensors, layout, sharded));
        } else {
            exchange = Optional.empty();
        }
        List<Milestone> milestones =
                shares == 1 ? exchange.map(GradientExchange::milestones).orElse(List.of()) : List.of();
        first = executor.prepare(training, milestones);
        others = sharing.microBatches() == 1
                ? first
                : executor.prepare(
                        ModelGraphs.training(model, sharing.microBatch(), sequenceLength, true, recompute), milestones);
        fold = new GradientFold(executor, layout.gradients(training), shares);
        OptimizerGraphs all = new OptimizerGraphs(settings, model.parameters());
        OptimizerGraphs own = sharded ? new OptimizerGraphs(settings, layout.owned(workers.rank())) : all;
        norm = sharded
                ? new GradientNorm.Sharded(executor, own, all, layout, workers)
                : new GradientNorm.Whole(executor.prepare(all.norm()));
        update = executor.prepare(own.update());
        losses = tensors.readback(
                ModelGraphs.LOSSES,
                shares * sharing.microBatches(),
                memory -> lossSums[microBatchesRead++ / sharing.microBatches()] += sum(memory));
    }

    /// Whose parameters are whose, if each worker has the optimiser's states of its own alone.
    Optional<ParameterLayout> dealtOut() {
        return dealtOut;
    }

    /// Tokens of a global batch.
    public long tokens() {
        return (long) sharing.globalBatch() * sequenceLength;
    }

    /// The program of the first micro-batch, which needs the most memory.
    public Program forwardAndBackward() {
        return first;
    }

    /// Starts to compute the gradient of the global batch that begins with sample `firstSample`. The device
    /// gets the next micro-batch while it is at one.
    public void gradient(Batches batches, long firstSample) {
        tensors.host(ModelGraphs.LOSS_SCALE).set(ValueLayout.JAVA_FLOAT, 0, (float) (1.0 / tokens()));
        tensors.push(ModelGraphs.LOSS_SCALE);
        losses.finish();
        Arrays.fill(lossSums, 0);
        microBatchesRead = 0;
        long samples = (long) sharing.microBatches() * sharing.microBatch();
        long mine = firstSample + (long) workers.rank() * shares * samples;
        for (int share = 0; share < shares; share++) {
            gradientOfShare(batches, mine + share * samples);
            fold.take(share);
        }
        exchange.ifPresent(GradientExchange::finish);
    }

    private void gradientOfShare(Batches batches, long firstSample) {
        for (int i = 0; i < sharing.microBatches(); i++) {
            load(tensors, batches, firstSample + (long) i * sharing.microBatch(), sharing.microBatch());
            if (i == sharing.microBatches() - 1) {
                exchange.ifPresent(GradientExchange::nextRunIsLast);
            }
            (i == 0 ? first : others).run();
            losses.request();
        }
    }

    /// The mean loss of the global batch in nats a token. Who wants the norm too asks for that first: it is
    /// there once the device has been waited for.
    public double loss() {
        losses.finish();
        double sum = 0;
        for (double share : workers.gather(lossSums)) {
            sum += share;
        }
        return sum / tokens();
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
        if (tensors.names().contains(OptimizerGraphs.UPDATE_NUMBER)) {
            tensors.host(OptimizerGraphs.UPDATE_NUMBER).set(ValueLayout.JAVA_INT, 0, Math.toIntExact(updates + 1));
            tensors.push(OptimizerGraphs.UPDATE_NUMBER);
        }
        settings.muon().ifPresent(muon -> scalars(OptimizerGraphs.MUON_SCALARS, fraction * muon.lr(), 0, 0));
        update.run();
        if (sharing.shardOptimizer()) {
            exchange.ifPresent(GradientExchange::gatherWeights);
        }
    }

    private void scalars(String name, double... values) {
        if (!tensors.names().contains(name)) {
            return;
        }
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

    @Override
    public void close() {
        exchange.ifPresent(GradientExchange::close);
    }
}
