package org.quern.train;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.ExampleDevices;

/// GPUs that a run can be planned for without having one.
public final class KnownGpus {
    private static final Map<String, Device> GPUS = new LinkedHashMap<>();

    static {
        // Memory in MiB as nvidia-smi shows it. Peaks from NVIDIA's data sheets and white papers: TFLOP/s of dense
        // bf16 products with fp32 accumulation (half of what is printed "with sparsity"), GB/s of memory, GB/s of
        // the link in one direction: NVLink, or PCIe with 16 lanes.
        Chip a100 = new Chip("sm_80", 108);
        add("a100-40gb", "NVIDIA A100-SXM4-40GB", a100, 40960, 312, 1555, 300); // A100 data sheet, SXM
        add("a100-80gb", "NVIDIA A100-SXM4-80GB", a100, 81920, 312, 2039, 300); // A100 80GB data sheet, SXM
        Chip h100 = new Chip("sm_90", 132);
        add("h100-80gb", "NVIDIA H100 80GB HBM3", h100, 81559, 989.4, 3350, 450); // H100 data sheet, SXM
        Chip pcie = new Chip("sm_90", 114);
        add("h100-pcie-80gb", "NVIDIA H100 PCIe", pcie, 81559, 756, 2000, 64); // H100 data sheet, PCIe 5.0
        add("h200-141gb", "NVIDIA H200", h100, 143771, 989.4, 4800, 450); // H200 data sheet, SXM
        add("l4-24gb", "NVIDIA L4", new Chip("sm_89", 58), 23034, 121, 300, 32); // L4 data sheet, PCIe 4.0
        add("l40s-48gb", "NVIDIA L40S", new Chip("sm_89", 142), 46068, 362.05, 864, 32); // L40S data sheet, PCIe 4.0
        // GA102 white paper, PCIe 4.0
        add("rtx-3090-24gb", "NVIDIA GeForce RTX 3090", new Chip("sm_86", 82), 24576, 71, 936, 32);
        // Ada white paper, PCIe 4.0
        add("rtx-4090-24gb", "NVIDIA GeForce RTX 4090", new Chip("sm_89", 128), 24564, 165.2, 1008, 32);
    }

    private KnownGpus() {}

    /// A chip.
    private record Chip(String architecture, int multiprocessors) {}

    /// @param driverName as the driver calls it
    private static void add(
            String name,
            String driverName,
            Chip chip,
            long mebibytes,
            double teraflop,
            double gigabytes,
            double linkGigabytes) {
        DeviceProperties properties = ExampleDevices.of(chip.architecture)
                .orElseThrow()
                .like(driverName, chip.multiprocessors, mebibytes << 20);
        Device.Speed speed = new Device.Speed(teraflop * 1e12, gigabytes * 1e9, linkGigabytes * 1e9);
        GPUS.put(name, new Device(name, properties.memoryBytes(), Optional.of(properties), Optional.of(speed)));
    }

    public static Set<String> names() {
        return GPUS.keySet();
    }

    public static Optional<Device> named(String name) {
        return Optional.ofNullable(GPUS.get(name));
    }

    /// The peaks of the GPU that the driver calls so.
    static Optional<Device.Speed> speed(String driverName) {
        return GPUS.values().stream()
                .filter(device -> device.gpu().orElseThrow().name().equals(driverName))
                .findFirst()
                .flatMap(Device::speed);
    }
}
