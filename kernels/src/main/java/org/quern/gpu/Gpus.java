package org.quern.gpu;

import static org.quern.gpu.CudaStatus.check;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import jcuda.driver.JCudaDriver;

/// The GPUs of this machine.
public final class Gpus {
    private static final Pattern NAME = Pattern.compile("cuda(?::(\\d{1,4}))?");

    private Gpus() {}

    /// Opens a GPU by name: `cuda:1`; `cuda` is the first.
    ///
    /// @throws GpuException if there is no such GPU, or it cannot be used, with the reason
    public static Gpu open(String name) {
        Matcher matcher = NAME.matcher(name);
        if (!matcher.matches()) {
            throw new GpuException("a GPU is called cuda or cuda:N: got " + name);
        }
        CudaDriver.start();
        int ordinal = matcher.group(1) == null ? 0 : Integer.parseInt(matcher.group(1));
        int count = count();
        if (ordinal >= count) {
            throw new GpuException("there is no %s: this process sees %d GPUs".formatted(name, count));
        }
        return new JCudaGpu(ordinal);
    }

    /// What the GPUs are that this process sees, `cuda:0` first.
    ///
    /// @return at least one
    /// @throws GpuException if there is none, or the driver is absent, fails or is too old
    public static List<DeviceProperties> list() {
        CudaDriver.start();
        return IntStream.range(0, count()).mapToObj(JCudaGpu::properties).toList();
    }

    private static int count() {
        int[] count = new int[1];
        check(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount");
        return count[0];
    }
}
