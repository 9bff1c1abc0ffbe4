package org.quern.kernels.cpu;

/// A kernel over the rows of a matrix, each on its own.
abstract class Rowwise implements Kernel {
    private final int rows;
    private final int rowsPerTask;

    Rowwise(int rows, int width) {
        this.rows = rows;
        this.rowsPerTask = Math.max(1, Elementwise.BLOCK / width);
    }

    @Override
    public final int tasks(int phase) {
        return Math.ceilDiv(rows, rowsPerTask);
    }

    @Override
    public final void run(int phase, int task) {
        int from = task * rowsPerTask;
        rows(from, Math.min(rows, from + rowsPerTask));
    }

    /// Computes rows `from` (inclusive) to `to` (exclusive).
    abstract void rows(int from, int to);
}
