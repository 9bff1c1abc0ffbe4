package org.quern.kernels.cuda;

import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuFunction;
import org.quern.gpu.Launch;
import org.quern.ptx.KernelVariant;

/// The kernels of one GPU, assembled and loaded when they are first asked for.
public interface KernelLibrary extends AutoCloseable {
    /// The device that the kernels are for.
    DeviceProperties device();

    /// An entry of a variant.
    ///
    /// @throws org.quern.gpu.GpuException if the device cannot run it, with the kernel, the limit and the value
    GpuFunction function(KernelVariant variant, String entry);

    /// How a kernel is launched that executes `griddepcontrol.wait`: by default as any other.
    default Launch dependent(Launch launch) {
        return launch;
    }

    @Override
    void close();
}
