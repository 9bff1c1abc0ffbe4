package org.quern.kernels.cuda;

import org.quern.gpu.GpuStream;

/// One operation on a GPU, bound to its buffers and sizes.
///
/// Everything is loaded and checked when it is constructed; a launch allocates nothing, so that it can be captured.
/// The same inputs give the same bits on every launch.
public interface GpuKernel {
    /// Queues the work.
    void launch(GpuStream stream);
}
