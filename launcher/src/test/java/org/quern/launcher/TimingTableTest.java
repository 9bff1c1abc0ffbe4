package org.quern.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.quern.kernels.bench.Ceilings;
import org.quern.kernels.bench.KernelBenchmark;
import org.quern.kernels.bench.KernelTiming;
import org.quern.kernels.bench.Timing;

class TimingTableTest {
    private static final Ceilings CEILINGS = new Ceilings(3e12, 800e12, "cuBLAS");

    private static KernelBenchmark benchmark(String name, double flop, double bytes) {
        return new KernelBenchmark(name, "family", flop, bytes, (_, _) -> _ -> {}, Map.of(), Map.of());
    }

    @Test
    void showsRatesAndRatios() {
        KernelBenchmark product = benchmark("matmul nt 4096x4096x4096", 137e9, 100e6);
        KernelBenchmark norm = benchmark("rms_norm 8192x4096", 0, 134e6);
        TimingTable table = new TimingTable(List.of(product, norm));
        String matmul = table.row(
                new KernelTiming(
                        product,
                        Optional.of(new Timing(List.of(0.21e-3, 0.214e-3, 0.22e-3))),
                        Map.of("cuBLAS", new Timing(List.of(0.2e-3))),
                        Map.of("PyTorch", "no | way")),
                CEILINGS);
        assertThat(matmul)
                .isEqualTo("| matmul nt 4096x4096x4096 |    214 us |  4.7 % |     640 |     467 |  80 % arithmetic "
                        + "| 0.93 cuBLAS; PyTorch: no / way |");
        String rms = table.row(
                new KernelTiming(norm, Optional.of(new Timing(List.of(50e-6))), Map.of(), Map.of()), CEILINGS);
        assertThat(rms)
                .isEqualTo(
                        "| rms_norm 8192x4096       |   50.0 us |  0.0 % |         |    2680 |      89 % memory |  |");
        assertThat(table.head().lines().toList())
                .hasSize(2)
                .allSatisfy(line -> assertThat(line).startsWith("|").endsWith("|"));
        assertThat(matmul.indexOf("| 0.93")).isEqualTo(table.head().indexOf("| speed"));
    }

    @Test
    void saysWhoDidNotRun() {
        KernelBenchmark product = benchmark("matmul", 1, 1);
        String row = new TimingTable(List.of(product))
                .row(
                        new KernelTiming(
                                product,
                                Optional.empty(),
                                Map.of("cuBLAS", new Timing(List.of(1.0))),
                                Map.of("Quern", "not enough memory")),
                        CEILINGS);
        assertThat(row).endsWith("| Quern: not enough memory |");
    }

    @Test
    void writesTimesWithThreeDigits() {
        assertThat(TimingTable.time(1.234e-6)).isEqualTo("1.23 us");
        assertThat(TimingTable.time(12.34e-6)).isEqualTo("12.3 us");
        assertThat(TimingTable.time(999.9e-6)).isEqualTo("1000 us");
        assertThat(TimingTable.time(1.5e-3)).isEqualTo("1.50 ms");
        assertThat(TimingTable.time(2)).isEqualTo("2.00 s");
    }
}
