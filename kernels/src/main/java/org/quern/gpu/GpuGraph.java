package org.quern.gpu;

/// Captured work, ready to be replayed.
public interface GpuGraph extends AutoCloseable {
    @Override
    void close();
}
