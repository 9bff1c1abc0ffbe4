package org.quern.train;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.collective.Communicator;
import org.quern.collective.CommunicatorException;
import org.quern.collective.ElementType;
import org.quern.collective.SingleCommunicator;
import org.quern.gpu.Gpu;

/// The workers of a run, as one of them sees them. All of them call the same methods in the same order.
///
/// Whatever fails in one of them ends the calls of the others, with exit code 76: started again, the run goes
/// on from its newest checkpoint.
public final class Workers implements AutoCloseable {
    private final Communicator control;
    private final Communicator gradients;
    private final Communicator checkpoints;
    private final int onThisMachine;
    private final Optional<Function<Gpu, Communicator>> gpus;
    /// While the workers' GPUs are connected.
    private Optional<Communicator> overGpus = Optional.empty();
    private MemorySegment gathered = MemorySegment.NULL;

    /// @param control for small things, in the host's memory
    /// @param gradients for gradients and weights, where these go through the host's memory; may be the same
    /// @param checkpoints for the threads that write checkpoints in the background, in the host's memory
    /// @param onThisMachine how many of the workers run here
    /// @param gpus for gradients and weights in GPUs' memory: connects this worker's with the others'. All call it
    ///     together. If it is empty, they go through the host's
    public Workers(
            Communicator control,
            Communicator gradients,
            Communicator checkpoints,
            int onThisMachine,
            Optional<Function<Gpu, Communicator>> gpus) {
        this.onThisMachine = onThisMachine;
        this.gpus = gpus;
        this.control = control;
        this.gradients = gradients;
        this.checkpoints = checkpoints;
    }

    /// A worker that is alone.
    public static Workers alone() {
        Communicator single = new SingleCommunicator(Communicator.Place.HOST);
        return new Workers(single, single, single, 1, Optional.empty());
    }

    public int rank() {
        return control.rank();
    }

    public int world() {
        return control.world();
    }

    int onThisMachine() {
        return onThisMachine;
    }

    /// Whether this is the one that writes what there is once: metrics, samples, the configuration.
    public boolean isFirst() {
        return rank() == 0;
    }

    Communicator gradients() {
        return overGpus.orElse(gradients);
    }

    /// Connects the workers' GPUs, where they have some.
    ///
    /// @param gpu this worker's
    Connection connect(Optional<Gpu> gpu) {
        if (world() > 1 && gpu.isPresent() && gpus.isPresent()) {
            together(() -> overGpus = Optional.of(gpus.get().apply(gpu.get())));
        }
        return () -> {
            overGpus.ifPresent(Communicator::close);
            overGpus = Optional.empty();
        };
    }

    /// Lasts until it is closed.
    interface Connection extends AutoCloseable {
        @Override
        void close();
    }

    Communicator checkpoints() {
        return checkpoints;
    }

    /// The values of all workers, by rank; of the same number from each.
    public double[] gather(double... mine) {
        if (world() == 1) {
            return mine;
        }
        long bytes = (long) world() * mine.length * Double.BYTES;
        if (bytes > gathered.byteSize()) {
            gathered = Arena.ofAuto().allocate(bytes, Double.BYTES);
        }
        MemorySegment all = gathered.asSlice(0, bytes);
        for (int i = 0; i < mine.length; i++) {
            all.setAtIndex(ValueLayout.JAVA_DOUBLE, (long) rank() * mine.length + i, mine[i]);
        }
        long[] bounds = new long[world() + 1];
        for (int i = 0; i <= world(); i++) {
            bounds[i] = (long) i * mine.length * (Double.BYTES / Float.BYTES);
        }
        together(() -> control.allGather(all, bounds, ElementType.F32));
        return all.toArray(ValueLayout.JAVA_DOUBLE);
    }

    /// Whether any worker says so.
    public boolean any(boolean mine) {
        for (double each : gather(mine ? 1 : 0)) {
            if (each != 0) {
                return true;
            }
        }
        return false;
    }

    /// What the first worker says.
    public double first(double mine) {
        return gather(mine)[0];
    }

    /// Something that the first worker does before the others do.
    public <T> T firstBefore(Supplier<T> action) {
        if (isFirst()) {
            T result = action.get();
            barrier();
            return result;
        }
        barrier();
        return action.get();
    }

    public void barrier() {
        together(control::barrier);
    }

    /// Ends the calls of all workers, because this one failed.
    void abort(String reason) {
        control.abort(reason);
        gradients.abort(reason);
        overGpus.ifPresent(each -> each.abort(reason));
        checkpoints.abort(reason);
    }

    /// Calls a collective.
    static void together(Runnable call) {
        try {
            call.run();
        } catch (CommunicatorException e) {
            throw new QuernException(ExitCode.RETRYABLE, e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        gradients.close();
        checkpoints.close();
        if (control != gradients) {
            control.close();
        }
    }
}
