package org.quern.launcher;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdk.incubator.vector.FloatVector;
import org.quern.base.ExitCode;
import org.quern.base.Version;
import org.quern.collective.CommunicatorException;
import org.quern.collective.NcclCommunicator;
import org.quern.executor.Devices;
import org.quern.gpu.CuBlas;
import org.quern.gpu.CudaDriver;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.GpuException;
import org.quern.gpu.Gpus;
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
        HostChecks.diskSpeed(here).ifPresent(speed -> show("disk speed", speed));
        show("shared", HostChecks.sharedMemory(Path.of("/dev/shm")));
        HostChecks.read(Path.of("/proc/self/limits"))
                .ifPresent(limits -> show("locked", HostChecks.lockedMemory(limits)));
        show("clock", HostChecks.clock());
        int gpus = showGpus();
        show(
                "devices",
                Stream.concat(
                                Stream.of(Devices.CPU, Devices.EMULATED),
                                IntStream.range(0, gpus).mapToObj("cuda:%d"::formatted))
                        .collect(Collectors.joining(", ", "", "; " + Devices.AUTO_REASON)));
        return ExitCode.OK.code();
    }

    /// @return how many there are
    private static int showGpus() {
        try {
            List<DeviceProperties> gpus = Gpus.list();
            show(
                    "GPU driver",
                    "for CUDA " + CudaDriver.versionName(gpus.getFirst().driverVersion())
                            + CudaDriver.release().map(", release "::concat).orElse(""));
            for (int i = 0; i < gpus.size(); i++) {
                DeviceProperties gpu = gpus.get(i);
                show(
                        "cuda:" + i,
                        "%s, compute capability %d.%d, %d multiprocessors, %.1f GiB"
                                .formatted(
                                        gpu.name(),
                                        gpu.major(),
                                        gpu.minor(),
                                        gpu.multiprocessors(),
                                        gpu.memoryBytes() / GIB));
            }
            show("NCCL", nccl());
            show(
                    "cuBLAS",
                    CuBlas.absence()
                            .map("none, and only kernels.provider: library needs it: "::concat)
                            .orElse("found"));
            return gpus.size();
        } catch (GpuException e) {
            show("GPU driver", e.getMessage());
            return 0;
        }
    }

    private static String nccl() {
        try {
            return NcclCommunicator.version();
        } catch (CommunicatorException e) {
            return e.getMessage();
        }
    }

    private static void show(String what, String value) {
        System.out.printf("%-11s %s%n", what, value);
    }
}
