package org.quern.train;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Optional;
import org.quern.executor.Executor;
import org.quern.executor.KernelProvider;
import org.quern.gpu.DeviceProperties;
import org.quern.graph.Graph;

/// What a run is planned for.
///
/// @param memoryBytes of one device
/// @param gpu what it is if it is a GPU; graphs run in mixed precision then
/// @param speed where it is known without measuring
public record Device(String name, long memoryBytes, Optional<DeviceProperties> gpu, Optional<Speed> speed) {
    /// What is left for the JVM, the kernels' scratch and the operating system.
    private static final double USABLE_OF_MACHINE = 0.9;

    /// What is left for the driver, the kernels' code, and the gaps between allocations.
    private static final double USABLE_OF_GPU = 0.95;

    /// More tokens at once make a CPU no faster.
    private static final int ENOUGH_FOR_CPU = 4096;

    /// More tokens at once make a GPU hardly faster: the rows of its products fill all multiprocessors many
    /// times.
    private static final int ENOUGH_FOR_GPU = 65536;

    /// Peaks that the maker publishes.
    ///
    /// @param flop floating-point operations a second of dense bf16 products with fp32 accumulation
    /// @param memoryBytes bytes a second between the device and its memory
    /// @param linkBytes bytes a second that a device sends to another one in the same machine
    public record Speed(double flop, double memoryBytes, double linkBytes) {}

    /// The CPU and the memory of this machine.
    public static Device thisMachine() {
        return thisMachine(1);
    }

    /// The same for each of several workers on this machine.
    static Device thisMachine(int workers) {
        return new Device(
                "this machine's CPU",
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize() / workers,
                Optional.empty(),
                Optional.empty());
    }

    /// The device that an executor uses.
    ///
    /// @param workers how many share this machine, each with an executor and a GPU of its own
    public static Device of(Executor executor, int workers) {
        return executor.gpu()
                .map(gpu -> new Device(gpu.name(), gpu.memoryBytes(), Optional.of(gpu), KnownGpus.speed(gpu.name())))
                .orElseGet(() -> thisMachine(workers));
    }

    boolean mixedPrecision() {
        return gpu.isPresent();
    }

    /// The share of the memory that a run may take.
    double usable() {
        return mixedPrecision() ? USABLE_OF_GPU : USABLE_OF_MACHINE;
    }

    long usableBytes() {
        return (long) (usable() * memoryBytes);
    }

    /// The tokens of a micro-batch that keep the device busy.
    int enoughTokens() {
        return mixedPrecision() ? ENOUGH_FOR_GPU : ENOUGH_FOR_CPU;
    }

    /// The graph as the device runs it.
    Graph lower(Graph graph, KernelProvider provider) {
        return mixedPrecision() ? provider.lower(graph) : graph;
    }
}
