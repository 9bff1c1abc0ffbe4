package org.quern.gpu;

/// What a GPU is.
///
/// @param name as its maker calls it
/// @param major of the compute capability
/// @param minor of the compute capability
/// @param multiprocessors their number
/// @param memoryBytes of the whole device
/// @param sharedBytesPerBlock the most shared memory that a block may ask for
/// @param sharedBytesPerMultiprocessor what its blocks share
/// @param registersPerMultiprocessor 32-bit registers
/// @param threadsPerMultiprocessor resident at a time
/// @param blocksPerMultiprocessor resident at a time
/// @param l2Bytes of the second-level cache
/// @param driverVersion of CUDA that the driver implements, 1000 major + 10 minor
public record DeviceProperties(
        String name,
        int major,
        int minor,
        int multiprocessors,
        long memoryBytes,
        int sharedBytesPerBlock,
        int sharedBytesPerMultiprocessor,
        int registersPerMultiprocessor,
        int threadsPerMultiprocessor,
        int blocksPerMultiprocessor,
        long l2Bytes,
        int driverVersion) {
    private static final int LEAST_PROGRAMMATIC_MAJOR = 9;
    /// Since when they can be captured.
    private static final int LEAST_PROGRAMMATIC_DRIVER = 12_030;

    /// The name that assemblers give its architecture: `sm_90`.
    public String architecture() {
        return "sm_" + major + minor;
    }

    /// @throws GpuException unless a launch may begin while the one before it ends
    void requireProgrammaticLaunches() {
        if (major < LEAST_PROGRAMMATIC_MAJOR || driverVersion < LEAST_PROGRAMMATIC_DRIVER) {
            throw new GpuException(
                    "programmatic launches need compute capability 9.0 and a driver for CUDA 12.3, or later: %s has %d.%d and a driver for CUDA %d.%d"
                            .formatted(name, major, minor, driverVersion / 1000, driverVersion % 1000 / 10));
        }
    }

    /// A device of the same architecture.
    public DeviceProperties like(String otherName, int otherMultiprocessors, long otherMemoryBytes) {
        return new DeviceProperties(
                otherName,
                major,
                minor,
                otherMultiprocessors,
                otherMemoryBytes,
                sharedBytesPerBlock,
                sharedBytesPerMultiprocessor,
                registersPerMultiprocessor,
                threadsPerMultiprocessor,
                blocksPerMultiprocessor,
                l2Bytes,
                driverVersion);
    }
}
