package org.quern.gpu;

import static org.quern.gpu.CudaStatus.check;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/// An event of one [JCudaGpu].
final class JCudaEvent extends Owned<JCudaGpu> implements GpuEvent {
    private final CUevent handle = new CUevent();

    JCudaEvent(JCudaGpu gpu) {
        super(gpu);
        check(JCudaDriver.cuEventCreate(handle, CUevent_flags.CU_EVENT_DEFAULT), "cuEventCreate");
    }

    CUevent handle() {
        return handle;
    }

    @Override
    public boolean isReached() {
        use();
        int status = JCudaDriver.cuEventQuery(handle);
        if (status == CUresult.CUDA_ERROR_NOT_READY) {
            return false;
        }
        check(status, "cuEventQuery");
        return true;
    }

    @Override
    public void synchronize() {
        use();
        check(JCudaDriver.cuEventSynchronize(handle), "cuEventSynchronize");
    }

    @Override
    public double millisecondsSince(GpuEvent start) {
        use();
        float[] milliseconds = new float[1];
        check(JCudaDriver.cuEventElapsedTime(milliseconds, ((JCudaEvent) start).handle, handle), "cuEventElapsedTime");
        return milliseconds[0];
    }

    @Override
    String describe() {
        return "an event";
    }

    @Override
    void free() {
        check(JCudaDriver.cuEventDestroy(handle), "cuEventDestroy");
    }
}
