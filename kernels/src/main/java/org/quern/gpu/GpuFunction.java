package org.quern.gpu;

import java.lang.foreign.MemorySegment;
import java.util.List;

/// A kernel of a loaded module.
public interface GpuFunction {
    /// The entry's name.
    String name();

    /// The parameters' sizes in bytes, in order; each lies at the next offset that its size divides.
    List<Integer> parameterBytes();

    /// A map as its device's kernels take it, [TensorMap#BYTES] bytes.
    ///
    /// @throws GpuException if the device has no tensor maps: it or its driver is older than `sm_90`
    default MemorySegment encode(TensorMap map) {
        throw new GpuException(name() + " runs on a device that has no tensor maps");
    }

    /// The most dynamic shared memory that it may be launched with, in bytes.
    int maxSharedBytes();
}
