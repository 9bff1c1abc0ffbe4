package org.quern.gpu;

import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/// What the driver's calls return.
final class CudaStatus {
    private CudaStatus() {}

    /// @param call the driver's name for it, with what it was about where that helps
    /// @throws GpuException if it failed
    static void check(int status, String call) {
        if (status != CUresult.CUDA_SUCCESS) {
            throw failure(status, call);
        }
    }

    static GpuException failure(int status, String call) {
        return switch (status) {
            // After these the driver refuses everything until the process ends.
            case CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
                    CUresult.CUDA_ERROR_LAUNCH_FAILED,
                    CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
                    CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
                    CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
                    CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
                    CUresult.CUDA_ERROR_ASSERT,
                    CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
                    CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
                    CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
                    CUresult.CUDA_ERROR_DEVICE_UNAVAILABLE,
                    CUresult.CUDA_ERROR_UNKNOWN ->
                new GpuFault(
                        GpuFault.Kind.FAILED,
                        "%s failed: %s. An earlier kernel may be the cause; this process can no longer use the device."
                                .formatted(call, describe(status)));
            case CUresult.CUDA_ERROR_OUT_OF_MEMORY ->
                new GpuFault(GpuFault.Kind.OUT_OF_MEMORY, "%s failed: %s".formatted(call, describe(status)));
            default -> new GpuException("%s failed: %s".formatted(call, describe(status)));
        };
    }

    /// Name, number and meaning.
    static String describe(int status) {
        String name = CUresult.stringFor(status);
        // JCuda reads what the driver did not write if it knows no such status.
        if (!name.startsWith("CUDA_")) {
            return "status " + status;
        }
        String[] meaning = new String[1];
        JCudaDriver.cuGetErrorString(status, meaning);
        return "%s (%d, %s)".formatted(name, status, meaning[0]);
    }
}
