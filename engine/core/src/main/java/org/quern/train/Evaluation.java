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
            Optional<IntUnaryOperator> tokenBytes) {
        this.batches = batches;
        this.samples = samples;
        this.batch = batch;
        this.sequenceLength = sequenceLength;
        this.tokenBytes = tokenBytes;
        tensors = executor.tensors();
        program = executor.prepare(ModelGraphs.evaluation(model, batch, sequenceLength));
    }

    /// Evaluates the model as it is now.
    ///
    /// @param stop asked before each batch
    /// @return empty if stopped
    public Optional<Result> run(BooleanSupplier stop) {
        double nats = 0;
        long tokens = 0;
        long bytes = 0;
        MemorySegment targets = tensors.host(ModelGraphs.TARGETS);
        for (long first = 0; first < samples; first += batch) {
            if (stop.getAsBoolean()) {
                return Optional.empty();
            }
            int count = (int) Math.min(batch, samples - first);
            if (count < batch) {
                // Rows beyond the last sample hold what was there before: valid tokens, ignored targets.
                for (long i = (long) count * sequenceLength; i < (long) batch * sequenceLength; i++) {
                    targets.setAtIndex(ValueLayout.JAVA_INT, i, IGNORED);
                }
            }
            TrainingStep.load(tensors, batches, first, count);
            program.run();
            nats += TrainingStep.lossSum(tensors);
            long counted = (long) count * sequenceLength;
            tokens += counted;
            if (tokenBytes.isPresent()) {
                IntUnaryOperator bytesOf = tokenBytes.get();
                for (long i = 0; i < counted; i++) {
                    bytes += bytesOf.applyAsInt(targets.getAtIndex(ValueLayout.JAVA_INT, i));
                }
            }
        }
        double bitsPerByte = bytes == 0 ? Double.NaN : nats / Math.log(2) / bytes;
        return Optional.of(new Result(nats / tokens, bitsPerByte));
    }
}
