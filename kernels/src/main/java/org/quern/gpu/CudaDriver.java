package org.quern.gpu;

import static org.quern.gpu.CudaStatus.check;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/// NVIDIA's driver.
public final class CudaDriver {
    /// The file through which programs reach it.
    public static final String LIBRARY = "libcuda.so.1";

    /// JCuda's libraries are built for CUDA 12.0, and so are the cubins that its assembler makes.
    private static final int LEAST_VERSION = 12_000;

    private static final Pattern RELEASE = Pattern.compile("\\s(\\d{3,}\\.\\d+(?:\\.\\d+)?)\\s");

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

    /// Makes the driver ready for use; later calls do little.
    ///
    /// @throws GpuException if there is none, if it fails, or if it is too old
    static void start() {
        if (!isInstalled()) {
            throw new GpuException(
                    ("no NVIDIA driver: %s was not found. Install NVIDIA's driver (525 or newer), or train"
                                    + " on the cpu.")
                            .formatted(LIBRARY));
        }
        JCudaNatives.load("JCudaDriver", JCudaDriver.class);
        JCudaDriver.setExceptionsEnabled(false);
        int status = JCudaDriver.cuInit(0);
        if (status == CUresult.CUDA_ERROR_NO_DEVICE) {
            throw new GpuException("the NVIDIA driver finds no GPU (CUDA_VISIBLE_DEVICES is %s)"
                    .formatted(System.getenv().getOrDefault("CUDA_VISIBLE_DEVICES", "not set")));
        }
        check(status, "cuInit");
        int version = version();
        if (version < LEAST_VERSION) {
            throw new GpuException(
                    "the NVIDIA driver is too old: it implements CUDA %s, and Quern needs %s (driver 525) or newer"
                            .formatted(versionName(version), versionName(LEAST_VERSION)));
        }
    }

    /// The version of CUDA that it implements, 1000 major + 10 minor. Needs [#start].
    static int version() {
        int[] version = new int[1];
        check(JCudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion");
        return version[0];
    }

    /// The driver's handle of a stream, for NVIDIA's other libraries.
    ///
    /// @throws GpuException if the stream is not the driver's
    public static long handle(GpuStream stream) {
        if (stream instanceof JCudaStream real) {
            return real.address();
        }
        throw new GpuException("NVIDIA's libraries need a GPU: they do not run on the emulator");
    }

    /// A version as people write it: `12.4`.
    public static String versionName(int version) {
        return version / 1000 + "." + version % 1000 / 10;
    }

    /// The release of its kernel module, by which its maker calls a driver: `535.104.05`. Empty if Linux does not tell.
    public static Optional<String> release() {
        try {
            Matcher matcher = RELEASE.matcher(Files.readString(Path.of("/proc/driver/nvidia/version")));
            return matcher.find() ? Optional.of(matcher.group(1)) : Optional.empty();
        } catch (IOException _) {
            return Optional.empty();
        }
    }
}
