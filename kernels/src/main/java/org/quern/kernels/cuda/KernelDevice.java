package org.quern.kernels.cuda;

import org.quern.gpu.Gpu;

/// An open GPU and its kernels, closed together.
public record KernelDevice(Gpu gpu, KernelLibrary library) implements AutoCloseable {
    @Override
    public void close() {
        try (gpu) {
            library.close();
        }
    }
}
