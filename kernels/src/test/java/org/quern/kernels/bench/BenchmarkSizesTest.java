package org.quern.kernels.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuStream;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.kernels.cuda.ProductPlans;

/// The sizes of training are too large for the emulator: what is left to test is that every kernel takes its
/// buffers.
class BenchmarkSizesTest {
    private static final EmulatedGpu GPU = new EmulatedGpu();
    private static final LoadedKernels KERNELS = LoadedKernels.asText(GPU);
    /// Does nothing.
    private static final GpuStream STREAM = (GpuStream) Proxy.newProxyInstance(
            GpuStream.class.getClassLoader(), new Class<?>[] {GpuStream.class}, (_, _, _) -> null);

    @AfterAll
    static void close() {
        KERNELS.close();
        GPU.close();
    }

    static List<KernelBenchmark> benchmarks() {
        return BenchmarkCatalog.benchmarks(ProductPlans.MODELLED);
    }

    @ParameterizedTest
    @MethodSource("benchmarks")
    void kernelsTakeTheirBuffers(KernelBenchmark benchmark) {
        BenchmarkMemory memory = new BenchmarkMemory(new Addresses(), STREAM, 1);
        benchmark.quern().bind(KERNELS, memory).launch(STREAM);
        // All bytes that count are in buffers, which are read and written once at most.
        assertThat(benchmark.bytes()).isLessThanOrEqualTo(2.0 * memory.allocated());
        assertThat(memory.allocated()).isLessThan(30L << 30);
    }

    /// Memory that is not there.
    private static final class Addresses implements DeviceArena {
        private long next = 1 << 20;

        @Override
        public DeviceMemory allocate(long bytes) {
            DeviceMemory memory = new DeviceMemory(next, bytes);
            next += bytes + 511 & -256;
            return memory;
        }

        @Override
        public MemorySegment allocateHost(long bytes) {
            throw new UnsupportedOperationException();
        }

        @Override
        public DeviceMemory open(byte[] handle, long bytes) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {}
    }
}
