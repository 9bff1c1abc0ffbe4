package org.quern.launcher.bench.gpu;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;

/// Deals out a limited time to stages that come one after the other. What one does not use is there for the others.
final class TimeBudget {
    private final LongSupplier clock;
    private final long end;

    /// @param clock nanoseconds
    TimeBudget(Duration total, LongSupplier clock) {
        this.clock = clock;
        end = clock.getAsLong() + total.toNanos();
    }

    /// Not negative.
    Duration left() {
        return Duration.ofNanos(Math.max(0, end - clock.getAsLong()));
    }

    /// What a stage may take: as much as it can use, but so that what is reserved for those after it is left, unless
    /// its own least asks for more.
    ///
    /// @return empty if not even its least is left
    Optional<Duration> share(Stage stage, List<Stage> later) {
        Duration least = Duration.ofSeconds(stage.least());
        Duration left = left();
        if (left.compareTo(least) < 0) {
            return Optional.empty();
        }
        Duration spare =
                left.minusSeconds(later.stream().mapToInt(Stage::reserve).sum());
        Duration most = Duration.ofSeconds(stage.most());
        Duration share = spare.compareTo(most) < 0 ? spare : most;
        return Optional.of(share.compareTo(least) < 0 ? least : share);
    }
}
