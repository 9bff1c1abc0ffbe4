package org.quern.kernels.cpu;

/// A kernel over the elements of tensors of one size, cut into blocks.
abstract class Elementwise implements Kernel {
    /// Floats in a block: enough to make a task worth its start, small enough for the first-level cache.
    static final int BLOCK = 1 << 13;

    private final long count;

    Elementwise(long count) {
        this.count = count;
    }

    @Override
    public final int tasks(int phase) {
        return Math.toIntExact(Math.ceilDiv(count, BLOCK));
    }

    @Override
    public final void run(int phase, int task) {
        long from = (long) task * BLOCK;
        block(from * Float.BYTES, (int) Math.min(BLOCK, count - from));
    }

    /// Computes `count` elements that start `offset` bytes into each tensor.
    abstract void block(long offset, int count);
}
