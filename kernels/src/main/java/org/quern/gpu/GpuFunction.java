package org.quern.gpu;

import java.util.List;

/// A kernel of a loaded module.
public interface GpuFunction {
    /// The entry's name.
    String name();

    /// The parameters' sizes in bytes, in order; each lies at the next offset that its size divides.
    List<Integer> parameterBytes();

    /// The most dynamic shared memory that it may be launched with, in bytes.
    int maxSharedBytes();
}
