package org.quern.train;

/// How the sequences of a step are dealt out.
///
/// A global batch is cut into equal shares, one behind another. Each worker has the same number of them, one
/// behind another too, and the gradients of all shares are summed as a balanced tree whoever computes them:
/// where a worker's number of shares is a power of two, the number of workers does not change a bit of the sum.
///
/// @param shares of a global batch
/// @param microBatch sequences that a device takes at once
/// @param microBatches of a share
/// @param shardOptimizer whether each worker updates a part of the parameters and holds the moments of these
///     alone (ZeRO-1; Rajbhandari et al., 2020)
/// @param bucketBytes gradients that are summed over the workers at once
public record Sharing(int shares, int microBatch, int microBatches, boolean shardOptimizer, long bucketBytes) {
    private static final long BUCKET_BYTES = 32L << 20;

    /// One share.
    public static Sharing whole(int microBatch, int microBatches) {
        return new Sharing(1, microBatch, microBatches, false, BUCKET_BYTES);
    }

    /// Sequences of a global batch.
    int globalBatch() {
        return shares * microBatches * microBatch;
    }
}
