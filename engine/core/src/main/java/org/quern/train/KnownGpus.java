package org.quern.train;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// GPUs that a run can be planned for without having one.
public final class KnownGpus {
    private static final Map<String, Device> GPUS = new LinkedHashMap<>();

    static {
        // Memory in MiB as nvidia-smi shows it. Peaks from NVIDIA's data sheets and white papers: TFLOP/s of dense
        // bf16 products with fp32 accumulation (half of what is printed "with sparsity"), GB/s of memory, GB/s of
        // the link in one direction: NVLink, or PCIe with 16 lanes.
        add("a100-40gb", 40960, 312, 1555, 300); // A100 data sheet, SXM
        add("a100-80gb", 81920, 312, 2039, 300); // A100 80GB data sheet, SXM
        add("h100-80gb", 81559, 989.4, 3350, 450); // H100 data sheet, SXM
        add("h100-pcie-80gb", 81559, 756, 2000, 64); // H100 data sheet, PCIe 5.0
        add("h200-141gb", 143771, 989.4, 4800, 450); // H200 data sheet, SXM
        add("l4-24gb", 23034, 121, 300, 32); // L4 data sheet, PCIe 4.0
        add("l40s-48gb", 46068, 362.05, 864, 32); // L40S data sheet, PCIe 4.0
        add("rtx-3090-24gb", 24576, 71, 936, 32); // GA102 white paper, PCIe 4.0
        add("rtx-4090-24gb", 24564, 165.2, 1008, 32); // Ada white paper, PCIe 4.0
    }

    private KnownGpus() {}

    private static void add(String name, long mebibytes, double teraflop, double gigabytes, double linkGigabytes) {
        Device.Speed speed = new Device.Speed(teraflop * 1e12, gigabytes * 1e9, linkGigabytes * 1e9);
        GPUS.put(name, new Device(name, true, mebibytes << 20, Optional.of(speed)));
    }

    public static Set<String> names() {
        return GPUS.keySet();
    }

    public static Optional<Device> named(String name) {
        return Optional.ofNullable(GPUS.get(name));
    }
}
