package org.quern.kernels.cuda;

import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuFunction;
import org.quern.gpu.Launch;
import org.quern.ptx.KernelVariant;

/// Kernels of which those that can begin while the launch before them ends.
///
/// @param library whose they are
public record ProgrammaticKernels(KernelLibrary library) implements KernelLibrary {
    @Override
    public DeviceProperties device() {
        return library.device();
    }

    @Override
    public GpuFunction function(KernelVariant variant, String entry) {
        return library.function(variant, entry);
    }

    @Override
    public Launch dependent(Launch launch) {
        return launch.programmatic();
    }

    @Override
    public void close() {
        library.close();
    }
}
