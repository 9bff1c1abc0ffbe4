package org.quern.launcher.bench;

import java.util.List;
import java.util.Locale;

/// The median of several rounds, the slowest and the fastest.
public record Spread(double median, double min, double max) {
    public static Spread of(List<Measurement> measurements) {
        double[] rates =
                measurements.stream().mapToDouble(Measurement::rate).sorted().toArray();
        int middle = rates.length / 2;
        double median = rates.length % 2 == 1 ? rates[middle] : (rates[middle - 1] + rates[middle]) / 2;
        return new Spread(median, rates[0], rates[rates.length - 1]);
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%.4g (%.4g-%.4g)", median, min, max);
    }
}
