package org.quern.kernels.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.kernels.bench.MemoryBoundTimes.Times;
import org.quern.ptx.CubinCache;

class MemoryBoundTimesTest {
    @TempDir
    private Path folder;

    /// Those that are a multiprocessor's share by their size; the others take longer to trace.
    @Test
    void memoryIsWhatLimitsAndThePageSaysSo() throws Exception {
        MemoryBoundTimes modelled = new MemoryBoundTimes(new CubinCache(folder));
        List<Times> times = StreamingBenchmarks.shares().stream()
                .filter(share -> share.multiprocessors() == 1)
                .map(modelled::of)
                .toList();
        assertThat(Files.readAllLines(Path.of("KERNELS.md")))
                .as("launcher/bin/quern kernels table > kernels/KERNELS.md")
                .containsAll(times.stream().map(Times::line).toList());
        assertThat(times)
                .hasSizeGreaterThan(10)
                .allSatisfy(one -> assertThat(one.part(1)).as(one.kernel()).isLessThan(0.7));
    }

    /// A share is found by the place of its benchmark.
    @Test
    void namesTheLimitOfABenchmark() {
        MemoryBoundTimes modelled = new MemoryBoundTimes(new CubinCache(folder));
        KernelBenchmark norm = StreamingBenchmarks.benchmarks().getFirst();
        assertThat(modelled.limits(norm.name())).hasEntrySatisfying(KernelBenchmark.QUERN, limit -> {
            assertThat(limit.part()).isEqualTo("device memory");
            assertThat(limit.seconds()).isEqualTo(norm.bytes() / DeviceRates.H100.bytesPerSecond());
        });
        assertThat(modelled.limits("matmul of nothing")).isEmpty();
        assertThat(StreamingBenchmarks.shares())
                .extracting(share -> kernel(share.benchmark()))
                .containsExactlyElementsOf(StreamingBenchmarks.benchmarks().stream()
                        .map(MemoryBoundTimesTest::kernel)
                        .toList());
    }

    /// A name up to its sizes.
    private static String kernel(KernelBenchmark benchmark) {
        return benchmark.name().replaceFirst(" \\d.*", "");
    }
}
