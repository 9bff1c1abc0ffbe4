package org.quern.train;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;

/// What a run is planned for.
///
/// @param memoryBytes of one device
public record Device(String name, long memoryBytes) {
    /// What is left for the JVM, the kernels' scratch and the operating system.
    private static final double USABLE = 0.9;

    /// More tokens at once make a CPU no faster.
    private static final int ENOUGH_TOKENS = 4096;

    /// The CPU and the memory of this machine.
    public static Device thisMachine() {
        return new Device(
                "this machine's CPU",
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize());
    }

    /// The share of the memory that a run may take.
    double usable() {
        return USABLE;
    }

    long usableBytes() {
        return (long) (usable() * memoryBytes);
    }

    /// The tokens of a micro-batch that keep the device busy.
    int enoughTokens() {
        return ENOUGH_TOKENS;
    }
}
