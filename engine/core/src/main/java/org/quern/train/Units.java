package org.quern.train;

import java.time.Duration;
import java.util.Locale;

/// Numbers for people.
public final class Units {
    private static final String[] BINARY = {"B", "KiB", "MiB", "GiB", "TiB"};
    private static final String[] DECIMAL = {"", " k", " M", " G", " T", " P", " E", " Z"};

    private Units() {}

    /// Such as `1.50 GiB`.
    public static String bytes(long bytes) {
        return scaled(bytes, 1024, BINARY, " ");
    }

    /// Such as `27.3 M`.
    public static String count(double count) {
        return scaled(count, 1000, DECIMAL, "");
    }

    /// Such as `3:07`, `26:02:11` or `12 days`.
    public static String duration(double seconds) {
        Duration duration = Duration.ofSeconds(Math.round(seconds));
        if (duration.toDays() > 2) {
            return "%,d days".formatted(duration.toDays());
        }
        return duration.toHours() == 0
                ? "%d:%02d".formatted(duration.toMinutesPart(), duration.toSecondsPart())
                : "%d:%02d:%02d".formatted(duration.toHours(), duration.toMinutesPart(), duration.toSecondsPart());
    }

    private static String scaled(double value, double base, String[] units, String separator) {
        int unit = 0;
        while (value >= base && unit < units.length - 1) {
            value /= base;
            unit++;
        }
        String number = unit == 0
                ? String.format(Locale.ROOT, "%.0f", value)
                : String.format(Locale.ROOT, value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value);
        return number + separator + units[unit];
    }
}
