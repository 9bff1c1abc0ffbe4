package org.quern.launcher;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import jdk.incubator.vector.FloatVector;
import org.quern.base.ExitCode;
import org.quern.base.Version;
import org.quern.gpu.CudaDriver;
import picocli.CommandLine.Command;

/// `quern doctor`: what this machine has, and what is missing.
@Command(name = "doctor", description = "Says what this machine has and what is missing.")
final class DoctorCommand implements Callable<Integer> {
    private static final double GIB = 1L << 30;
    /// Narrower vectors (SSE) make training several times slower.
    private static final int GOOD_VECTOR_BITS = 256;

    @Override
    public Integer call() throws IOException {
        show("Quern", Version.current().toString());
        show("Java", "%s, %s".formatted(Runtime.version(), System.getProperty("java.home")));
        show("system", "%s %s".formatted(System.getProperty("os.name"), System.getProperty("os.arch")));
        show("cores", String.valueOf(Runtime.getRuntime().availableProcessors()));
        int bits = FloatVector.SPECIES_PREFERRED.vectorBitSize();
        show("vectors", bits + " bits" + (bits < GOOD_VECTOR_BITS ? ": slow, this processor has no AVX2" : ""));
        OperatingSystemMXBean machine = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        show(
                "memory",
                "%.1f GiB, %.1f GiB free"
                        .formatted(machine.getTotalMemorySize() / GIB, machine.getFreeMemorySize() / GIB));
        Path here = Path.of("").toAbsolutePath();
        FileStore disk = Files.getFileStore(here);
        show(
                "disk",
                "%.1f GiB free in %s%s"
                        .formatted(disk.getUsableSpace() / GIB, here, Files.isWritable(here) ? "" : ", not writable"));
        show("GPU driver", driver());
        show("devices", "cpu");
        return ExitCode.OK.code();
    }

    private static String driver() {
        return CudaDriver.isInstalled()
                ? CudaDriver.LIBRARY + " found, but this version of Quern trains on the CPU only"
                : "none (%s not found); nothing in this version needs it".formatted(CudaDriver.LIBRARY);
    }

    private static void show(String what, String value) {
        System.out.printf("%-11s %s%n", what, value);
    }
}
