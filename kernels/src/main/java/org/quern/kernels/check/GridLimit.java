package org.quern.kernels.check;

import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuFunction;
import org.quern.gpu.Launch;
import org.quern.kernels.cuda.KernelLibrary;
import org.quern.ptx.KernelVariant;

/// The kernels of a device that claims another number of multiprocessors, by which kernels choose their grids.
record GridLimit(KernelLibrary library, int multiprocessors) implements KernelLibrary {
    @Override
    public DeviceProperties device() {
        DeviceProperties real = library.device();
        return new DeviceProperties(
                real.name(),
                real.major(),
                real.minor(),
                multiprocessors,
                real.memoryBytes(),
                real.sharedBytesPerBlock(),
                real.sharedBytesPerMultiprocessor(),
                real.registersPerMultiprocessor(),
                real.threadsPerMultiprocessor(),
                real.blocksPerMultiprocessor(),
                real.l2Bytes(),
                real.driverVersion());
    }

    @Override
    public GpuFunction function(KernelVariant variant, String entry) {
        return library.function(variant, entry);
    }

    @Override
    public Launch dependent(Launch launch) {
        return library.dependent(launch);
    }

    @Override
    public void close() {
        library.close();
    }
}
