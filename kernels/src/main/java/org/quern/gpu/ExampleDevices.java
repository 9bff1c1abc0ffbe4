package org.quern.gpu;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A GPU of each architecture, for what is to be known without one.
///
/// Source: CUDA C++ Programming Guide, "Technical Specifications per Compute Capability", and the GPUs' data sheets.
public final class ExampleDevices {
    private static final int REGISTERS = 65_536;
    private static final int DRIVER_VERSION = 12_000;

    private static final Map<String, DeviceProperties> DEVICES = Map.of(
            "sm_80", device("NVIDIA A100", 8, 0, 108, 40, 163, 164, 2048, 32, 40),
            "sm_86", device("NVIDIA GeForce RTX 3090", 8, 6, 82, 24, 99, 100, 1536, 16, 6),
            "sm_89", device("NVIDIA GeForce RTX 4090", 8, 9, 128, 24, 99, 100, 1536, 24, 72),
            "sm_90", device("NVIDIA H100", 9, 0, 132, 80, 227, 228, 2048, 32, 50),
            "sm_120", device("NVIDIA GeForce RTX 5090", 12, 0, 170, 32, 99, 100, 1536, 24, 96));

    private ExampleDevices() {}

    private static DeviceProperties device(
            String name,
            int major,
            int minor,
            int multiprocessors,
            long memoryGib,
            int blockSharedKib,
            int sharedKib,
            int threads,
            int blocks,
            long l2Mib) {
        return new DeviceProperties(
                name,
                major,
                minor,
                multiprocessors,
                memoryGib << 30,
                blockSharedKib << 10,
                sharedKib << 10,
                REGISTERS,
                threads,
                blocks,
                l2Mib << 20,
                DRIVER_VERSION);
    }

    /// @param architecture `sm_90`; `sm_90a` is the same device
    public static Optional<DeviceProperties> of(String architecture) {
        return Optional.ofNullable(DEVICES.get(architecture.replaceFirst("a$", "")));
    }

    /// All of them, in alphabetic order.
    public static List<String> architectures() {
        return DEVICES.keySet().stream().sorted().toList();
    }
}
