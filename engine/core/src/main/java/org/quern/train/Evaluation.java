package org.quern.train;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.IntUnaryOperator;
import org.quern.data.Batches;
import org.quern.executor.Executor;
import org.quern.executor.Program;
import org.quern.executor.TensorStore;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;

/// The loss on the first samples of the validation split, or of those of several sources.
public final class Evaluation {
    /// A target that does not count.
    private static final int IGNORED = -100;

    /// What is evaluated.
    ///
    /// @param share of the source in the run
    /// @param samples sequences in all
    public record Source(String name, double share, Batches batches, long samples) {}

    /// The mean loss in nats a token, and bits a byte of text; NaN where nobody knows the bytes of a token.
    public record Result(double loss, double bitsPerByte) {}

    private final Workers workers;
    private final TensorStore tensors;
    private final Program program;
    private final List<Source> sources;
    private final int batch;
    private final int sequenceLength;
    private final Optional<IntUnaryOperator> tokenBytes;

    /// @param batch sequences at once
    /// @param tokenBytes the bytes of text that a token stands for
    public Evaluation(
            Executor executor,
            Model model,
            List<Source> sources,
            int batch,
            int sequenceLength,
            Optional<IntUnaryOperator> tokenBytes,
            Workers workers) {
        this.workers = workers;
        this.sources = sources;
        this.batch = batch;
        this.sequenceLength = sequenceLength;
        this.tokenBytes = tokenBytes;
        tensors = executor.tensors();
        program = executor.prepare(ModelGraphs.evaluation(model, batch, sequenceLength));
    }

    /// Evaluates the model as it is now, on each source.
    ///
    /// @param stop asked now and then, by all workers
    /// @return by source, in their order; empty if stopped
    public Optional<Map<String, Result>> run(BooleanSupplier stop) {
        Map<String, Result> results = new LinkedHashMap<>();
        for (Source source : sources) {
            Optional<Result> result = run(source, stop);
            if (result.isEmpty()) {
                return Optional.empty();
            }
            results.put(source.name(), result.get());
        }
        return Optional.of(results);
    }

    /// The loss on text mixed as the whole run mixes it.
    public Result mixed(Map<String, Result> results) {
        if (sources.size() == 1) {
            return results.values().iterator().next();
        }
        double loss = 0;
        double bytes = 0;
        double shares = 0;
        for (Source source : sources) {
            Result result = results.get(source.name());
            loss += source.share() * result.loss();
            bytes += source.share() * result.loss() / result.bitsPerByte();
            shares += source.share();
        }
        return new Result(loss / shares, loss / bytes);
    }

    /// The workers take turns with the batches; `stop` is asked before each turn.
    private Optional<Result> run(Source source, BooleanSupplier stop) {
        long samples = source.samples();
        int world = workers.world();
        int inAll = Math.toIntExact(Math.ceilDiv(samples, batch));
        int turns = Math.ceilDiv(inAll, world);
        double[] nats = new double[turns];
        double bytes = 0;
        for (int turn = 0; turn < turns; turn++) {
            if (stop.getAsBoolean()) {
                return Optional.empty();
            }
            int mine = turn * world + workers.rank();
            if (mine < inAll) {
                long first = (long) mine * batch;
                int count = (int) Math.min(batch, samples - first);
                nats[turn] = nats(source.batches(), first, count);
                bytes += bytes(count);
            }
        }
        double[] allNats = workers.gather(nats);
        double sum = 0;
        for (int i = 0; i < inAll; i++) {
            sum += allNats[i % world * turns + i / world];
        }
        double allBytes = 0;
        for (double each : workers.gather(bytes)) {
            allBytes += each;
        }
        double bitsPerByte = allBytes == 0 ? Double.NaN : sum / Math.log(2) / allBytes;
        return Optional.of(new Result(sum / (samples * sequenceLength), bitsPerByte));
    }

    private double nats(Batches batches, long first, int count) {
        MemorySegment targets = tensors.host(ModelGraphs.TARGETS);
        // Rows beyond the last sample hold what was there before: valid tokens, ignored targets.
        for (long i = (long) count * sequenceLength; i < (long) batch * sequenceLength; i++) {
            targets.setAtIndex(ValueLayout.JAVA_INT, i, IGNORED);
        }
        TrainingStep.load(tensors, batches, first, count);
        program.run();
        return TrainingStep.lossSum(tensors);
    }

    /// The bytes of text that the targets of the last batch stand for.
    private long bytes(int count) {
        if (tokenBytes.isEmpty()) {
            return 0;
        }
        MemorySegment targets = tensors.host(ModelGraphs.TARGETS);
        long bytes = 0;
        for (long i = 0; i < (long) count * sequenceLength; i++) {
            bytes += tokenBytes.get().applyAsInt(targets.getAtIndex(ValueLayout.JAVA_INT, i));
        }
        return bytes;
    }
}
