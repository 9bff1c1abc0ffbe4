package org.quern.gpu;

import static org.quern.gpu.CudaStatus.check;

import jcuda.driver.CUgraphExec;
import jcuda.driver.JCudaDriver;

/// Captured work of one [JCudaGpu].
final class JCudaGraph extends Owned<JCudaGpu> implements GpuGraph {
    private final CUgraphExec handle;

    JCudaGraph(JCudaGpu gpu, CUgraphExec handle) {
        super(gpu);
        this.handle = handle;
    }

    CUgraphExec handle() {
        return handle;
    }

    @Override
    String describe() {
        return "a graph";
    }

    @Override
    void free() {
        check(JCudaDriver.cuGraphExecDestroy(handle), "cuGraphExecDestroy");
    }
}
