package org.quern.launcher.bench;

import org.quern.kernels.bench.Timing;

/// Processes of this machine that sum a buffer together, in turns with other groups.
public interface SummingGroup extends AutoCloseable {
    /// By what they sum.
    String name();

    /// How long all-reduces of fp32 take, each after a barrier, as rank 0 sees it.
    Timing time(long bytes, int iterations);

    @Override
    void close();
}
