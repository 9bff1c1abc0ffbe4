package org.quern.launcher.cluster;

import java.lang.foreign.MemorySegment;
import org.quern.collective.Communicator;
import org.quern.collective.ElementType;

/// A communicator whose calls are counted, so that a launcher sees which worker has not come to one.
record CountedCommunicator(Communicator inner, CallCount calls) implements Communicator {
    @Override
    public int rank() {
        return inner.rank();
    }

    @Override
    public int world() {
        return inner.world();
    }

    @Override
    public Place place() {
        return inner.place();
    }

    @Override
    public void allReduce(MemorySegment data, ElementType type) {
        calls.during("all-reduce", () -> inner.allReduce(data, type));
    }

    @Override
    public void reduceScatter(MemorySegment data, long[] bounds, ElementType type) {
        calls.during("reduce-scatter", () -> inner.reduceScatter(data, bounds, type));
    }

    @Override
    public void allGather(MemorySegment data, long[] bounds, ElementType type) {
        calls.during("all-gather", () -> inner.allGather(data, bounds, type));
    }

    @Override
    public void broadcast(MemorySegment data, int root) {
        calls.during("broadcast", () -> inner.broadcast(data, root));
    }

    @Override
    public void barrier() {
        calls.during("barrier", inner::barrier);
    }

    @Override
    public void abort(String reason) {
        inner.abort(reason);
    }

    @Override
    public void close() {
        inner.close();
    }
}
