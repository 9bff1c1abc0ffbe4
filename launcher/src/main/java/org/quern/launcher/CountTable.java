package org.quern.launcher;

import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.quern.kernels.bench.DeviceRates;
import org.quern.kernels.bench.KernelBenchmark;
import org.quern.kernels.bench.KernelCounts;
import org.quern.train.Units;

/// Counts of the emulator as rows of Markdown.
final class CountTable {
    private static final int LEAST_WIDTH = 10;
    private static final String ROW = "| %%-%ds | %%12s | %%9s | %%7s | %%10s | %%9s | %%-17s |";

    private final String row;

    CountTable(List<KernelBenchmark> benchmarks) {
        int width = benchmarks.stream()
                .mapToInt(benchmark -> benchmark.name().length())
                .reduce(LEAST_WIDTH, Math::max);
        row = ROW.formatted(width);
    }

    String head() {
        return row("kernel", "instructions", "FLOP", "sectors", "wavefronts", "modelled", "limited by") + "\n"
                + "|---|--:|--:|--:|--:|--:|---|";
    }

    String row(KernelBenchmark benchmark, KernelCounts counts) {
        Map.Entry<String, Double> limit =
                counts.modelledSeconds(DeviceRates.A100, benchmark.bytes(), 1).entrySet().stream()
                        .max(Map.Entry.comparingByValue(Comparator.naturalOrder()))
                        .orElseThrow();
        return row(
                benchmark.name(),
                "%,d".formatted(counts.instructions()),
                Units.count(counts.flop()),
                "%.2f".formatted(counts.sectorsPerIdeal()),
                "%.2f".formatted(counts.wavefrontsPerIdeal()),
                TimingTable.time(limit.getValue()),
                limit.getKey());
    }

    private String row(Object... columns) {
        return String.format(Locale.ROOT, row, columns);
    }
}
