package org.quern.launcher;

import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.collective.CommunicatorException;
import org.quern.collective.NcclCommunicator;
import org.quern.gpu.Gpus;

/// What workers that have a GPU each need, so that a job that lacks it ends before anything is started.
final class GpuWorkers {
    /// NCCL's own, from 2.30 on: lets several of its ranks share a GPU, for tests.
    private static final String SHARED_GPU = "NCCL_MULTI_RANK_GPU_ENABLE";

    private static final String OTHERWISE =
            " workers.gradients=host sums them in the host's memory instead, which is slow.";

    private GpuWorkers() {}

    /// @throws QuernException if there is no NCCL, or one that cannot be used
    static void requireNccl() {
        try {
            NcclCommunicator.version();
        } catch (CommunicatorException e) {
            throw new QuernException(ExitCode.DO_NOT_RESTART, e.getMessage() + OTHERWISE, e);
        }
    }

    /// @param workers on this machine
    /// @throws QuernException if some would have to share a GPU, which NCCL refuses
    /// @throws org.quern.gpu.GpuException if there is no GPU
    static void requireGpus(int workers) {
        int gpus = Gpus.list().size();
        if (workers > gpus && !"1".equals(System.getenv(SHARED_GPU))) {
            throw new QuernException(
                    ExitCode.USAGE,
                    "NCCL sums the gradients of workers with a GPU each: %d workers were asked for, and this process sees %d GPUs.%s"
                            .formatted(workers, gpus, OTHERWISE));
        }
    }
}
