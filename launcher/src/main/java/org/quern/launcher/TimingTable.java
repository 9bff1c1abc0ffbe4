package org.quern.launcher;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.quern.kernels.bench.Ceilings;
import org.quern.kernels.bench.KernelBenchmark;
import org.quern.kernels.bench.KernelTiming;
import org.quern.kernels.bench.Timing;

/// Timings of kernels as rows of Markdown, aligned for those who read them as text.
final class TimingTable {
    private static final int LEAST_WIDTH = 10;
    private static final String ROW = "| %%-%ds | %%9s | %%6s | %%7s | %%7s | %%16s | %%s |";

    private final String row;

    TimingTable(List<KernelBenchmark> benchmarks) {
        int width = benchmarks.stream()
                .mapToInt(benchmark -> benchmark.name().length())
                .reduce(LEAST_WIDTH, Math::max);
        row = ROW.formatted(width);
    }

    String head() {
        return row("kernel", "time", "spread", "TFLOP/s", "GB/s", "of the ceiling", "speed against others") + "\n"
                + "|---|--:|--:|--:|--:|--:|---|";
    }

    String row(KernelTiming timing, Ceilings ceilings) {
        KernelBenchmark benchmark = timing.benchmark();
        String others = others(timing);
        if (timing.quern().isEmpty()) {
            return row(benchmark.name(), "", "", "", "", "", others);
        }
        Timing quern = timing.quern().get();
        double seconds = quern.median();
        return row(
                benchmark.name(),
                time(seconds),
                "%.1f %%".formatted(100 * quern.spread()),
                benchmark.flop() == 0 ? "" : digits(benchmark.flop() / seconds / 1e12),
                digits(benchmark.bytes() / seconds / 1e9),
                "%.0f %% %s"
                        .formatted(
                                100 * benchmark.floorSeconds(ceilings) / seconds,
                                benchmark.isBoundByArithmetic(ceilings) ? "arithmetic" : "memory"),
                others);
    }

    private static String others(KernelTiming timing) {
        String refusals = timing.refusals().entrySet().stream()
                .map(refusal -> refusal.getKey() + ": " + refusal.getValue().replace("|", "/"))
                .collect(Collectors.joining("; "));
        String ratios = timing.quern()
                .map(quern -> timing.others().entrySet().stream()
                        .map(other -> ratio(other, quern))
                        .collect(Collectors.joining(", ")))
                .orElse("");
        return ratios + (ratios.isEmpty() || refusals.isEmpty() ? "" : "; ") + refusals;
    }

    private static String ratio(Map.Entry<String, Timing> other, Timing quern) {
        return String.format(Locale.ROOT, "%.2f %s", other.getValue().median() / quern.median(), other.getKey());
    }

    private String row(Object... columns) {
        return String.format(Locale.ROOT, row, columns);
    }

    /// Such as `12.3 us`.
    static String time(double seconds) {
        return seconds < 1e-3
                ? digits(seconds * 1e6) + " us"
                : seconds < 1 ? digits(seconds * 1e3) + " ms" : digits(seconds) + " s";
    }

    /// Three of them, and no exponent.
    static String digits(double value) {
        return String.format(Locale.ROOT, value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value);
    }
}
