package org.quern.collective;

import java.lang.foreign.MemorySegment;

/// Workers one of whose calls goes wrong, for tests of what is above: before this worker's call of a
/// given number, a fault happens.
public final class FaultInjecting implements Communicator {
    private final Communicator workers;
    private final long call;
    private final Runnable fault;
    private long calls;

    /// @param call before which call of this worker, from 1; a barrier counts
    /// @param fault may wait, throw, stop or end the process
    public FaultInjecting(Communicator workers, long call, Runnable fault) {
        this.workers = workers;
        this.call = call;
        this.fault = fault;
    }

    private void count() {
        calls++;
        if (calls == call) {
            fault.run();
        }
    }

    @Override
    public int rank() {
        return workers.rank();
    }

    @Override
    public int world() {
        return workers.world();
    }

    @Override
    public Place place() {
        return workers.place();
    }

    @Override
    public void allReduce(MemorySegment data, ElementType type) {
        count();
        workers.allReduce(data, type);
    }

    @Override
    public void reduceScatter(MemorySegment data, long[] bounds, ElementType type) {
        count();
        workers.reduceScatter(data, bounds, type);
    }

    @Override
    public void allGather(MemorySegment data, long[] bounds, ElementType type) {
        count();
        workers.allGather(data, bounds, type);
    }

    @Override
    public void broadcast(MemorySegment data, int root) {
        count();
        workers.broadcast(data, root);
    }

    @Override
    public void barrier() {
        count();
        workers.barrier();
    }

    @Override
    public void abort(String reason) {
        workers.abort(reason);
    }

    @Override
    public void close() {
        workers.close();
    }
}
