package org.quern.gpu;

/// Loaded kernels.
public interface GpuModule extends AutoCloseable {

    /// A kernel by the name of its entry.
    ///
    /// @throws GpuException if there is none
    GpuFunction function(String name);

    @Override
    void close();
}
