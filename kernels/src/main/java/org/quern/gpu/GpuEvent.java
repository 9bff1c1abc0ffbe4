package org.quern.gpu;

/// A mark in a stream.
public interface GpuEvent extends AutoCloseable {

    /// Whether the last mark has been reached.
    boolean isReached();

    /// Waits until the last mark has been reached.
    void synchronize();

    /// The time on the device from the other event's mark to this one's, both reached.
    double millisecondsSince(GpuEvent start);

    @Override
    void close();
}
