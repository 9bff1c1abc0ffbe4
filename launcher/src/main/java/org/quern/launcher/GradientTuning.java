package org.quern.launcher;

import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.quern.executor.KernelProvider;
import org.quern.executor.TunedPlans;
import org.quern.executor.TunedPlans.AttentionRow;
import org.quern.gpu.DeviceProperties;
import org.quern.kernels.bench.AttentionTraining;
import org.quern.kernels.bench.ProductTuner;
import org.quern.kernels.bench.ProductTuner.TunedGradient;
import org.quern.kernels.bench.Timing;
import org.quern.kernels.cuda.WarpgroupAttention.Gradient;

/// The gradient of an attention by warpgroups.
///
/// @param forms that may be taken
record GradientTuning(AttentionTraining attention, List<Gradient> forms) implements TuningTask<AttentionRow> {
    @Override
    public String benchmark() {
        return attention.backward();
    }

    @Override
    public String sizes() {
        return attention.name();
    }

    @Override
    public KernelProvider provider() {
        return KernelProvider.WARPGROUPS;
    }

    @Override
    public Optional<AttentionRow> known(TunedPlans plans) {
        return plans.row(attention.shape()).filter(row -> forms.contains(row.gradient()));
    }

    @Override
    public Found<AttentionRow> measure(ProductTuner tuner, DeviceProperties device) {
        TunedGradient tuned = tuner.tune(attention, forms);
        Map<String, String> refusals = new LinkedHashMap<>();
        tuned.refusals().forEach((form, reason) -> refusals.put(name(form), reason));
        Optional<AttentionRow> row = tuned.times().entrySet().stream()
                .min(Comparator.comparingDouble(one -> one.getValue().median()))
                .map(best -> row(best.getKey(), tuned.times()));
        return new Found<>(row, refusals);
    }

    private AttentionRow row(Gradient best, Map<Gradient, Timing> times) {
        return new AttentionRow(
                attention.use(),
                attention.shape(),
                best,
                times.get(best).median(),
                times.get(best).spread(),
                times.entrySet().stream()
                        .filter(other -> other.getKey() != best)
                        .mapToDouble(other -> other.getValue().median())
                        .findAny()
                        .orElse(0));
    }

    @Override
    public TunedPlans into(TunedPlans plans, AttentionRow row, String date) {
        return plans.with(row, date);
    }

    @Override
    public String line(AttentionRow row, DeviceProperties device) {
        boolean chosen = row.gradient() == Gradient.choose(device, row.shape());
        return TuningTask.line(
                "%s, attention backward".formatted(attention.name()),
                provider(),
                "%s (the other %s)"
                        .formatted(name(row.gradient()), TuningTask.slower(row.otherSeconds(), row.seconds())),
                row.seconds(),
                row.spread(),
                attention.backwardFlop(),
                chosen ? row.seconds() : row.otherSeconds());
    }

    private static String name(Gradient form) {
        return form.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
}
