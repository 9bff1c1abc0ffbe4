package org.quern.gpu;

import java.lang.foreign.MemorySegment;
import java.util.List;
import jcuda.driver.CUfunction;

/// A kernel of a [JCudaModule].
///
/// @param address where the driver keeps it
record JCudaFunction(String name, long address, List<Integer> parameterBytes, int maxSharedBytes)
        implements GpuFunction {
    /// Streams keep room for so many.
    static final int MOST_PARAMETERS = 128;

    JCudaFunction {
        if (parameterBytes.size() > MOST_PARAMETERS) {
            throw new GpuException("%s has %d parameters: at most %d can be launched"
                    .formatted(name, parameterBytes.size(), MOST_PARAMETERS));
        }
    }

    @Override
    public MemorySegment encode(TensorMap map) {
        return TensorMapCalls.encode(map);
    }

    /// Shows where the driver keeps it.
    static final class Handle extends CUfunction {
        long address() {
            return getNativePointer();
        }
    }
}
