package org.quern.collective;

import java.lang.foreign.MemorySegment;

/// The workers of a run, as one of them sees them: operations that all of them call, in the same order and with the
/// same sizes. A call returns when its result is there.
///
/// Names and meanings are NCCL's. Sums are taken in fp32 and rounded once, in an order that depends on the number of
/// workers alone: a balanced tree over the ranks, [0, n) being the sum of [0, m) and of [m, n) with m the largest power
/// of two below n. So the bits of a result depend on no timing, and all workers get the same; and where a power of two
/// of workers each hold the tree of their share of terms, the number of workers does not matter either.
///
/// Whatever goes wrong in one worker ends the call of every other with a [CommunicatorException] that names who and
/// why: a worker that died, hung or left, calls that do not match. Then the communicator is of no use any more.
public interface Communicator extends AutoCloseable {
    /// This worker, 0 <= rank < world.
    int rank();

    int world();

    /// Where the memory of its calls must be.
    Place place();

    /// The sum over all workers, in place, for all of them.
    void allReduce(MemorySegment data, ElementType type);

    /// The sum over all workers, in place, each getting a part of it: elements [bounds[rank], bounds[rank + 1]). What
    /// the others get is undefined here afterwards.
    ///
    /// @param bounds world + 1 elements, ascending, from 0 to the number of elements; parts may be empty
    void reduceScatter(MemorySegment data, long[] bounds, ElementType type);

    /// Every worker's part of the data, for all of them, in place.
    ///
    /// @param bounds as in `reduceScatter`
    void allGather(MemorySegment data, long[] bounds, ElementType type);

    /// The data of worker `root`, for all of them.
    void broadcast(MemorySegment data, int root);

    /// Waits for all workers.
    void barrier();

    /// Ends the calls of all workers, those under way too. May be called from any thread, more than once.
    void abort(String reason);

    /// Says that this worker needs the others no more.
    @Override
    void close();

    /// Where memory is.
    enum Place {
        HOST,
        /// Segments are addresses on the GPU, never to be read by the host.
        DEVICE
    }
}
