package org.quern.gpu;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;

/// NVIDIA's driver.
public final class CudaDriver {
    /// The file through which programs reach it.
    public static final String LIBRARY = "libcuda.so.1";

    private CudaDriver() {}

    /// Whether the system's loader finds the driver's library.
    public static boolean isInstalled() {
        try (Arena arena = Arena.ofConfined()) {
            SymbolLookup.libraryLookup(LIBRARY, arena);
            return true;
        } catch (IllegalArgumentException _) {
            return false;
        }
    }
}
