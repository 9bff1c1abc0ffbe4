package org.quern.kernels.bench;

import java.util.Map;
import org.quern.gpu.GpuException;

/// Somebody else who times the same work on the same device.
public interface Rival {
    /// What it is called where it cannot do something.
    String name();

    /// Its ways to do it, by their names.
    ///
    /// @param seconds to spend
    /// @throws GpuException if it cannot do it, with the reason
    Map<String, Timing> time(KernelBenchmark benchmark, double seconds);
}
