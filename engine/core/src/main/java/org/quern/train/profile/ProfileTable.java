package org.quern.train.profile;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.quern.train.Device;
import org.quern.train.Units;

/// What the operations of some steps took, by kind, as a table for people.
final class ProfileTable {
    private final List<TimedStep> steps;
    private final Device device;
    private final String clock;

    /// @param clock what the times are
    ProfileTable(List<TimedStep> steps, Device device, String clock) {
        this.steps = steps;
        this.device = device;
        this.clock = clock;
    }

    /// The operations of a kind.
    private record Row(String kind, List<TimedOperation> operations) {
        double nanos() {
            return operations.stream().mapToDouble(TimedOperation::nanos).sum();
        }

        double flop() {
            return operations.stream()
                    .mapToDouble(timed -> timed.operation().cost().flop())
                    .sum();
        }

        double bytes() {
            return operations.stream()
                    .mapToDouble(timed -> timed.operation().cost().bytes())
                    .sum();
        }

        double floor(Device.Speed speed) {
            return operations.stream().mapToDouble(timed -> timed.floor(speed)).sum();
        }
    }

    @Override
    public String toString() {
        List<TimedOperation> operations =
                steps.stream().flatMap(step -> step.operations().stream()).toList();
        List<Row> rows =
                operations.stream()
                        .collect(
                                Collectors.groupingBy(timed -> timed.operation().kind()))
                        .entrySet()
                        .stream()
                        .map(entry -> new Row(entry.getKey(), entry.getValue()))
                        .sorted(Comparator.comparingDouble(Row::nanos)
                                .reversed()
                                .thenComparing(Row::kind))
                        .toList();
        Row all = new Row("all", operations);
        int width = rows.stream().mapToInt(row -> row.kind().length()).max().orElse(0);
        String format = "%-" + Math.max("operation".length(), width) + "s %7s %10s %7s %9s %9s";
        StringBuilder text = new StringBuilder(head());
        text.append(line(format, "operation", "calls", "ms", "time", "FLOP/s", "bytes/s", "ceiling"));
        rows.forEach(row -> text.append(line(format, row, all)));
        return text.append(line(format, all, all)).toString();
    }

    private String head() {
        String ceiling = device.speed()
                .map(speed -> "Ceiling: %sFLOP/s or %sB/s, whichever binds; published peaks, not measured."
                        .formatted(Units.count(speed.flop()), Units.count(speed.memoryBytes())))
                .orElse("No ceiling: the peaks of %s are not known.".formatted(device.name()));
        double hostMillis =
                steps.stream().mapToLong(TimedStep::hostNanos).average().orElse(0) / 1e6;
        return """
                Operations of %s on %s, for a step.
                Times: %s. By the host's clock a step took %.1f ms while it was timed.
                %s
                """.formatted(span(), device.name(), clock, hostMillis, ceiling);
    }

    private String span() {
        long first = steps.getFirst().step();
        long last = steps.getLast().step();
        return first == last ? "step " + first : "steps %d to %d".formatted(first, last);
    }

    private String line(String format, Row row, Row all) {
        double seconds = row.nanos() / 1e9;
        return line(
                format,
                row.kind(),
                "%d".formatted(row.operations().size() / steps.size()),
                "%.3f".formatted(1e3 * seconds / steps.size()),
                percent(row.nanos(), all.nanos()),
                seconds == 0 ? "" : Units.count(row.flop() / seconds),
                seconds == 0 ? "" : Units.count(row.bytes() / seconds),
                device.speed()
                        .map(speed -> percent(row.floor(speed), row.nanos()))
                        .orElse(""));
    }

    /// The last column only where there is a ceiling.
    private String line(String format, Object... columns) {
        Optional<Device.Speed> speed = device.speed();
        String full = speed.isPresent() ? format + " %8s" : format;
        return full.formatted(columns).stripTrailing() + "\n";
    }

    private static String percent(double part, double whole) {
        return whole == 0 ? "" : "%.1f %%".formatted(100 * part / whole);
    }
}
