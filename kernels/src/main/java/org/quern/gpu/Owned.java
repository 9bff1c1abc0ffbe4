package org.quern.gpu;

/// Something of the driver's that a [JCudaGpu] keeps count of until it is closed.
abstract class Owned implements AutoCloseable {
    final JCudaGpu gpu;
    private volatile boolean closed;

    Owned(JCudaGpu gpu) {
        this.gpu = gpu;
    }

    /// For the report of what is still open: `a stream`.
    abstract String describe();

    /// Gives it back to the driver; the context is current.
    abstract void free();

    /// Makes the device's context current on this thread, for the call that follows.
    ///
    /// @throws GpuException if this is closed
    final void use() {
        if (closed) {
            throw new GpuException(describe() + " is closed");
        }
        gpu.makeCurrent();
    }

    /// Does nothing the second time.
    @Override
    public final synchronized void close() {
        if (!closed) {
            gpu.makeCurrent();
            closed = true;
            gpu.remove(this);
            free();
        }
    }
}
