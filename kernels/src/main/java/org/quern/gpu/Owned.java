package org.quern.gpu;

/// Something that a GPU keeps count of until it is closed.
abstract class Owned<G extends OwningGpu> implements AutoCloseable {
    final G gpu;
    private volatile boolean closed;

    Owned(G gpu) {
        this.gpu = gpu;
    }

    /// For the report of what is still open: `a stream`.
    abstract String describe();

    /// Gives it back; the device is ready for calls.
    abstract void free();

    /// Makes the device ready for the call that follows.
    ///
    /// @throws GpuException if this or the device is closed
    final void use() {
        if (closed) {
            throw new GpuException(describe() + " is closed");
        }
        gpu.use();
    }

    /// Does nothing the second time.
    @Override
    public final synchronized void close() {
        if (!closed) {
            gpu.use();
            closed = true;
            gpu.remove(this);
            free();
        }
    }
}
