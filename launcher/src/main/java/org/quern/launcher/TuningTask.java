package org.quern.launcher;

import java.util.Map;
import java.util.Optional;
import org.quern.executor.KernelProvider;
import org.quern.executor.TunedPlans;
import org.quern.gpu.DeviceProperties;
import org.quern.kernels.bench.ProductTuner;

/// What is tuned: a product by the kernels of a provider, or the gradient of an attention.
///
/// @param <R> its row of the table
sealed interface TuningTask<R extends Record> permits ProductTuning, GradientTuning {
    String HEAD = """
            | product, or gradient of attention | kernels | fastest plan | time | spread | TFLOP/s | plan without a table |
            |---|---|---|--:|--:|--:|--:|""";

    /// Of its benchmark, and the provider's: `attention backward llama-8b 1x8192, 32/8 heads of 128 by warpgroups`.
    default String name() {
        return "%s by %s".formatted(benchmark(), provider().key());
    }

    String benchmark();

    /// As others of the same sizes have them, too.
    String sizes();

    KernelProvider provider();

    /// What a table has of it.
    Optional<R> known(TunedPlans plans);

    Found<R> measure(ProductTuner tuner, DeviceProperties device);

    TunedPlans into(TunedPlans plans, R row, String date);

    /// Of Markdown, below [#HEAD].
    String line(R row, DeviceProperties device);

    /// What was measured.
    ///
    /// @param row empty if nothing was right
    /// @param refusals why plans were left out, by their names
    record Found<R extends Record>(Optional<R> row, Map<String, String> refusals) {}

    /// A line of Markdown.
    ///
    /// @param modelSeconds of the plan that is chosen without a table; 0 if it did not run
    static String line(
            String what,
            KernelProvider provider,
            String plan,
            double seconds,
            double spread,
            double flop,
            double modelSeconds) {
        return "| %s | %s | %s | %s | %.1f %% | %s | %s |"
                .formatted(
                        what,
                        provider.key(),
                        plan,
                        TimingTable.time(seconds),
                        100 * spread,
                        TimingTable.digits(flop / seconds / 1e12),
                        slower(modelSeconds, seconds));
    }

    /// By how much something is slower than the fastest.
    static String slower(double seconds, double fastest) {
        return seconds == 0 ? "did not run" : "%+.1f %%".formatted(100 * (seconds / fastest - 1));
    }
}
