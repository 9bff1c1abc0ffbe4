package org.quern.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Finds steps whose loss or gradient norm is far above those before: such a step is better left out than
/// taken.
///
/// A value is a spike if it is more than `zScore` standard deviations above the mean of the last `window`
/// values that were none. Nothing is a spike before the window is full.
public final class SpikeGuard {
    private final int window;
    private final double zScore;
    private final List<Double> losses = new ArrayList<>();
    private final List<Double> gradNorms = new ArrayList<>();

    /// What a checkpoint keeps of it.
    public record State(List<Double> losses, List<Double> gradNorms) {
        public static final State EMPTY = new State(List.of(), List.of());
    }

    public SpikeGuard(int window, double zScore, State state) {
        this.window = window;
        this.zScore = zScore;
        losses.addAll(state.losses());
        gradNorms.addAll(state.gradNorms());
    }

    public State state() {
        return new State(List.copyOf(losses), List.copyOf(gradNorms));
    }

    /// Looks at a step before its update.
    ///
    /// @return why it is a spike; empty if it is none, and then it counts for those to come
    public Optional<String> check(double loss, double gradNorm) {
        Optional<String> spike = spike("loss", losses, loss).or(() -> spike("gradient norm", gradNorms, gradNorm));
        if (spike.isEmpty()) {
            remember(losses, loss);
            remember(gradNorms, gradNorm);
        }
        return spike;
    }

    private void remember(List<Double> values, double value) {
        if (values.size() == window) {
            values.removeFirst();
        }
        values.addLast(value);
    }

    private Optional<String> spike(String what, List<Double> values, double value) {
        if (values.size() < window) {
            return Optional.empty();
        }
        double mean = values.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
        double variance = values.stream()
                .mapToDouble(v -> (v - mean) * (v - mean))
                .average()
                .orElseThrow();
        double z = (value - mean) / Math.sqrt(variance);
        // Where all values were the same, z is infinite or NaN: then there is nothing to judge by.
        return variance > 0 && z > zScore
                ? Optional.of("%s %.4g is %.1f standard deviations above the mean %.4g of the last %d steps (limit %s)"
                        .formatted(what, value, z, mean, window, zScore))
                : Optional.empty();
    }
}
