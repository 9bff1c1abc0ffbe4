package org.quern.train;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.IntUnaryOperator;
import org.quern.data.Batches;
import org.quern.executor.Executor;
import org.quern.executor.Program;
import org.quern.executor.TensorStore;
import org.quern.model.Model;
import org.quern.model.ModelGraphs;

/// The loss on the first samples of the validation split.
public final class Evaluation {
    /// A target that does not count.
    private static final int IGNORED = -100;

    /// The mean loss in nats a token, and bits a byte of text; NaN where nobody knows the bytes of a token.
    public record Result(double loss, double bitsPerByte) {}

    private final Workers workers;
    private final TensorStore tensors;
    private final Program program;
    private final Batches batches;
    private final long samples;
    private final int batch;
    private final int sequenceLength;
    private final Optional<IntUnaryOperator> tokenBytes;

    /// @param batch sequences at once
    /// @param samples sequences in all
    /// @param tokenBytes the bytes of text that a token stands for
    public Evaluation(
            Executor executor,
            Model model,
            Batches batches,
            long samples,
            int batch,
            int sequenceLength,
            Optional<IntUnaryOperator> tokenBytes,
            Workers workers) {
        this.workers = workers;
        this.batches = batches;
        this.samples = samples;
        this.batch = batch;
        this.sequenceLength = sequenceLength;
        this.tokenBytes = tokenBytes;
        tensors = executor.tensors();
        program = executor.prepare(ModelGraphs.evaluation(model, batch, sequenceLength));
    }

    /// Evaluates the model as it is now. The workers take turns with the batches.
    ///
    /// @param stop asked before each turn, by all workers
    /// @return empty if stopped
    public Optional<Result> run(BooleanSupplier stop) {
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
                nats[turn] = nats(first, count);
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

    private double nats(long first, int count) {
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
