package org.quern.train;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.collective.Communicator;
import org.quern.collective.CommunicatorException;
import org.quern.collective.ElementType;
import org.quern.executor.Milestone;
import org.quern.executor.TensorStore;
import org.quern.model.ModelGraphs;
import org.quern.model.Parameter;
import org.quern.train.ParameterLayout.Bucket;

/// Sums gradients over the workers, bucket by bucket, on a thread of its own: those that are final while the
/// backward pass is still at work on the others. And hands out the weights that each worker has updated.
final class GradientExchange implements AutoCloseable {
    private final Communicator communicator;
    private final TensorStore tensors;
    private final ParameterLayout layout;
    private final boolean sharded;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("gradients").factory());

    /// The sums of this step that were begun, those of the first buckets.
    private final List<Future<?>> sums = new ArrayList<>();

    private boolean last;

    /// @param sharded whether each worker needs the sums of its own parameters only
    GradientExchange(Communicator communicator, TensorStore tensors, ParameterLayout layout, boolean sharded) {
        this.communicator = communicator;
        this.tensors = tensors;
        this.layout = layout;
        this.sharded = sharded;
    }

    /// For the programs of the backward pass: each bucket's sum begins when its last gradient is final. None
    /// where gradients must be copied to the host first, in the same queue as the backward pass.
    List<Milestone> milestones() {
        if (communicator.place() == Communicator.Place.HOST && !tensors.isHostMemory()) {
            return List.of();
        }
        return layout.buckets().stream()
                .map(bucket -> new Milestone(gradient(bucket.to() - 1), this::reached))
                .toList();
    }

    /// Says that the next run of a program is the last of the step: what is final in it may be summed.
    void nextRunIsLast() {
        last = true;
    }

    private void reached(Runnable untilDone) {
        if (last) {
            begin(untilDone);
        }
    }

    /// Sums what was not summed on the way, and waits for all of it.
    void finish() {
        while (sums.size() < layout.buckets().size()) {
            begin(tensors::synchronize);
        }
        last = false;
        for (Future<?> sum : sums) {
            await(sum);
        }
        sums.clear();
    }

    private void begin(Runnable untilFinal) {
        Bucket bucket = layout.buckets().get(sums.size());
        sums.add(thread.submit(() -> {
            untilFinal.run();
            sum(bucket);
        }));
    }

    private static void await(Future<?> sum) {
        try {
            sum.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof CommunicatorException failure) {
                throw new QuernException(ExitCode.RETRYABLE, failure.getMessage(), failure);
            }
            throw new IllegalStateException("the sum of the gradients over the workers failed", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new QuernException(ExitCode.RETRYABLE, "interrupted while the gradients were summed", e);
        }
    }

    private void sum(Bucket bucket) {
        exchange(bucket, ModelGraphs::gradient, memory -> {
            if (sharded) {
                communicator.reduceScatter(memory, bounds(bucket), ElementType.F32);
            } else {
                communicator.allReduce(memory, ElementType.F32);
            }
        });
    }

    /// Gives all workers the weights that each has updated.
    void gatherWeights() {
        tensors.synchronize();
        Bucket all = new Bucket(0, layout.order().size());
        Workers.together(() -> exchange(
                all, UnaryOperator.identity(), memory -> communicator.allGather(memory, bounds(all), ElementType.F32)));
    }

    /// Calls a collective on a state of each of these parameters, where the communicator wants it.
    private void exchange(Bucket bucket, UnaryOperator<String> state, Consumer<MemorySegment> collective) {
        List<String> states = layout.order().subList(bucket.from(), bucket.to()).stream()
                .map(Parameter::name)
                .map(state)
                .toList();
        boolean staged = communicator.place() == Communicator.Place.HOST;
        if (staged) {
            states.forEach(tensors::pull);
        }
        collective.accept(tensors.together(states.getFirst(), states.getLast(), communicator.place()));
        states.forEach(staged ? tensors::push : tensors::changed);
    }

    private long[] bounds(Bucket bucket) {
        return layout.bounds(bucket.from(), bucket.to(), communicator.world());
    }

    private String gradient(int index) {
        return ModelGraphs.gradient(layout.order().get(index).name());
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
