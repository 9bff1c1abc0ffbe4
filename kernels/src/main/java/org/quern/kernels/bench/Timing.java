package org.quern.kernels.bench;

import java.util.List;
import java.util.stream.Stream;

/// How long a launch takes.
///
/// @param seconds of a launch, the mean of a round, one a round, in ascending order
public record Timing(List<Double> seconds) {
    public Timing {
        if (seconds.isEmpty()) {
            throw new IllegalArgumentException("a timing needs at least 1 round: got 0");
        }
        seconds = seconds.stream().sorted().toList();
    }

    /// Both together.
    public Timing and(Timing other) {
        return new Timing(
                Stream.concat(seconds.stream(), other.seconds.stream()).toList());
    }

    public double median() {
        int middle = seconds.size() / 2;
        return seconds.size() % 2 == 1 ? seconds.get(middle) : (seconds.get(middle - 1) + seconds.get(middle)) / 2;
    }

    /// How far apart the quarter of the slowest rounds and the quarter of the fastest are, as a part of the median.
    public double spread() {
        int quarter = seconds.size() / 4;
        return (seconds.get(seconds.size() - 1 - quarter) - seconds.get(quarter)) / median();
    }
}
