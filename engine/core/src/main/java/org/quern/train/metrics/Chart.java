package org.quern.train.metrics;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.DoubleStream;

/// A line chart in HTML and SVG. The drawing is stretched to whatever room there is; labels are HTML around it, so
/// that their size does not depend on the chart's.
final class Chart {
    /// How a series is drawn.
    enum Style {
        /// The band between the least and the greatest value of neighbouring points.
        FAINT,
        LINE,
        DOTS
    }

    /// A row of points by growing x; a NaN is a gap.
    record Series(String name, Style style, double[] x, double[] y) {}

    /// Something that happened at an x.
    ///
    /// @param kind a CSS class
    private record Mark(double x, String kind, String title) {}

    private record Range(double low, double high) {
        double share(double value) {
            return (value - low) / (high - low);
        }
    }

    /// Points of a drawn line at most; more would not be seen.
    private static final int RESOLUTION = 500;

    private static final int SIZE = 1000;

    private final String title;
    private final String unit;
    private final boolean fromZero;
    private final List<Series> series = new ArrayList<>();
    private final List<Mark> marks = new ArrayList<>();

    /// @param fromZero whether the vertical axis starts at zero
    Chart(String title, String unit, boolean fromZero) {
        this.title = title;
        this.unit = unit;
        this.fromZero = fromZero;
    }

    Chart with(Series line) {
        series.add(line);
        return this;
    }

    void mark(double x, String kind, String what) {
        marks.add(new Mark(x, kind, what));
    }

    String html() {
        Range x = new Range(0, Math.max(1, values(Series::x).max().orElse(1)));
        Range y = vertical();
        StringBuilder html = new StringBuilder();
        html.append("<figure class=\"chart\">\n<figcaption><h3>%s</h3><span class=\"unit\">%s</span>"
                .formatted(Html.escape(title), Html.escape(unit)));
        legend(html);
        html.append("</figcaption>\n<div class=\"plot\">\n<div class=\"y\">");
        double[] yTicks = ticks(y, 5);
        for (double tick : yTicks) {
            html.append("<span style=\"bottom:%s%%\">%s</span>".formatted(percent(y.share(tick)), label(tick, yTicks)));
        }
        html.append("</div>\n<div class=\"area\">\n<svg viewBox=\"0 0 %s %s\" preserveAspectRatio=\"none\" role=\"img\""
                .formatted(SIZE, SIZE));
        html.append(" aria-label=\"%s by step\">\n<g class=\"grid\">".formatted(Html.escape(title)));
        for (double tick : yTicks) {
            double at = SIZE * (1 - y.share(tick));
            html.append("<path d=\"M0 %sH%s\"/>".formatted(coordinate(at), SIZE));
        }
        html.append("</g>\n");
        for (Mark mark : marks) {
            html.append("<path class=\"mark %s\" d=\"M%s 0V%s\"><title>%s</title></path>\n"
                    .formatted(mark.kind, coordinate(SIZE * x.share(mark.x)), SIZE, Html.escape(mark.title)));
        }
        StringBuilder data = new StringBuilder();
        for (Series line : series) {
            draw(html, line, x, y);
            if (line.style != Style.FAINT) {
                data(data, line);
            }
        }
        html.append("</svg>\n<div class=\"cursor\" hidden=\"\"></div>\n</div>\n<div class=\"x\">");
        double[] xTicks = ticks(x, 6);
        for (double tick : xTicks) {
            html.append("<span style=\"left:%s%%\">%s</span>".formatted(percent(x.share(tick)), label(tick, xTicks)));
        }
        html.append(
                "</div>\n</div>\n<script type=\"application/json\">{\"end\":%s,\"series\":[%s]}</script>\n</figure>\n"
                        .formatted(number(x.high), data));
        return html.toString();
    }

    private void legend(StringBuilder html) {
        html.append("<span class=\"legend\">");
        for (Series line : series) {
            html.append("<span class=\"%s\">%s</span>".formatted(style(line), Html.escape(line.name)));
        }
        marks.stream()
                .map(Mark::kind)
                .distinct()
                .forEach(kind -> html.append("<span class=\"mark %s\">%s</span>".formatted(kind, kind)));
        html.append("</span>");
    }

    private static String style(Series line) {
        return line.style.name().toLowerCase(Locale.ROOT);
    }

    private DoubleStream values(Function<Series, double[]> axis) {
        return series.stream().flatMapToDouble(line -> Arrays.stream(axis.apply(line)));
    }

    /// The range of what is drawn in full; of faint points the outermost hundredth may stick out.
    private Range vertical() {
        double low = Double.POSITIVE_INFINITY;
        double high = Double.NEGATIVE_INFINITY;
        for (Series line : series) {
            double[] sorted =
                    Arrays.stream(line.y).filter(Double::isFinite).sorted().toArray();
            if (sorted.length > 0) {
                int outside = line.style == Style.FAINT ? sorted.length / 100 : 0;
                low = Math.min(low, sorted[outside]);
                high = Math.max(high, sorted[sorted.length - 1 - outside]);
            }
        }
        if (low > high) {
            return new Range(0, 1);
        }
        double room = high > low ? (high - low) * 0.06 : Math.max(Math.abs(high) * 0.1, 1e-12);
        return fromZero && low >= 0 ? new Range(0, high + room) : new Range(low - room, high + room);
    }

    private static void draw(StringBuilder html, Series line, Range x, Range y) {
        StringBuilder path = new StringBuilder();
        if (line.style == Style.DOTS) {
            for (int i = 0; i < line.x.length; i++) {
                if (!Double.isNaN(line.y[i])) {
                    point(path, 'M', line.x[i], line.y[i], x, y);
                    path.append("h0");
                }
            }
        } else {
            char command = 'M';
            int bucket = bucket(line);
            for (int from = 0; from < line.x.length; from += bucket) {
                int to = Math.min(from + bucket, line.x.length);
                double[] some =
                        Arrays.stream(line.y, from, to).filter(Double::isFinite).toArray();
                if (some.length == 0) {
                    command = 'M';
                    continue;
                }
                double middle = (line.x[from] + line.x[to - 1]) / 2;
                if (line.style == Style.FAINT && some.length > 1) {
                    point(path, command, middle, Arrays.stream(some).max().getAsDouble(), x, y);
                    point(path, 'L', middle, Arrays.stream(some).min().getAsDouble(), x, y);
                } else {
                    point(path, command, middle, Arrays.stream(some).average().getAsDouble(), x, y);
                }
                command = 'L';
            }
        }
        String crowded = line.style == Style.DOTS && line.x.length > 60 ? " crowded" : "";
        html.append("<path class=\"%s\" d=\"%s\"/>\n".formatted(style(line) + crowded, path));
    }

    private static int bucket(Series line) {
        return Math.max(1, Math.ceilDiv(line.x.length, RESOLUTION));
    }

    private static void point(StringBuilder path, char command, double px, double py, Range x, Range y) {
        path.append(command)
                .append(coordinate(SIZE * x.share(px)))
                .append(' ')
                .append(coordinate(SIZE * (1 - y.share(py))));
    }

    /// What the pointer reads: a point for each one drawn.
    private static void data(StringBuilder json, Series line) {
        StringBuilder xs = new StringBuilder();
        StringBuilder ys = new StringBuilder();
        int bucket = line.style == Style.DOTS ? 1 : bucket(line);
        for (int from = 0; from < line.x.length; from += bucket) {
            int middle = (from + Math.min(from + bucket, line.x.length)) / 2;
            if (!Double.isNaN(line.y[middle])) {
                xs.append(xs.isEmpty() ? "" : ",").append(number(line.x[middle]));
                ys.append(ys.isEmpty() ? "" : ",").append(number(line.y[middle]));
            }
        }
        json.append(json.isEmpty() ? "" : ",")
                .append("{\"name\":\"%s\",\"x\":[%s],\"y\":[%s]}".formatted(line.name, xs, ys));
    }

    /// Round numbers (1, 2, 2.5 or 5 times a power of ten apart) within a range.
    static double[] ticks(double low, double high, int about) {
        return ticks(new Range(low, high), about);
    }

    private static double[] ticks(Range range, int about) {
        double rough = (range.high - range.low) / about;
        double power = Math.pow(10, Math.floor(Math.log10(rough)));
        double step = DoubleStream.of(1, 2, 2.5, 5, 10)
                .map(factor -> factor * power)
                .filter(candidate -> candidate >= rough * 0.999)
                .findFirst()
                .orElseThrow();
        long first = (long) Math.ceil(range.low / step - 1e-9);
        long last = (long) Math.floor(range.high / step + 1e-9);
        return DoubleStream.iterate(first, i -> i <= last, i -> i + 1)
                .map(i -> i * step)
                .toArray();
    }

    /// A tick's label, with the digits that tell it from its neighbours.
    static String label(double tick, double[] ticks) {
        if (tick == 0) {
            return "0";
        }
        double largest = Math.max(Math.abs(ticks[0]), Math.abs(ticks[ticks.length - 1]));
        double step = ticks.length > 1 ? ticks[1] - ticks[0] : largest;
        if (largest >= 1e6) {
            return digits(tick / 1e6, step / 1e6) + "M";
        }
        if (largest >= 1e4 || largest >= 1000 && step % 500 == 0) {
            return digits(tick / 1e3, step / 1e3) + "k";
        }
        if (largest < 0.01) {
            int exponent = (int) Math.floor(Math.log10(Math.abs(tick) * 1.0001));
            double power = Math.pow(10, exponent);
            return trimmed(String.format(Locale.ROOT, "%.3f", tick / power)) + "e" + exponent;
        }
        return digits(tick, step);
    }

    private static String digits(double value, double step) {
        int digits = 0;
        for (double s = step; digits < 6 && Math.abs(s - Math.rint(s)) > 1e-6 * Math.max(1, s); s *= 10) {
            digits++;
        }
        return String.format(Locale.ROOT, "%." + digits + "f", value);
    }

    private static String coordinate(double value) {
        return trimmed(String.format(Locale.ROOT, "%.1f", Math.clamp(value, -SIZE, 2 * SIZE)));
    }

    private static String percent(double share) {
        return trimmed(String.format(Locale.ROOT, "%.2f", 100 * share));
    }

    private static String trimmed(String decimal) {
        return decimal.replaceFirst("\\.?0+$", "");
    }

    /// Six significant digits, in JSON.
    private static String number(double value) {
        double rounded = Double.parseDouble(String.format(Locale.ROOT, "%.5e", value));
        return rounded == Math.rint(rounded) && Math.abs(rounded) < 1e15
                ? Long.toString((long) rounded)
                : Double.toString(rounded);
    }
}
