package org.quern.launcher;

import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.quern.kernels.check.CaseOutcome;
import org.quern.kernels.check.CaseOutcome.Agreement;
import org.quern.kernels.check.CaseOutcome.Status;
import org.quern.kernels.check.FamilySummary;
import org.quern.train.Units;

/// Shows a check of kernels: a line a case, then a table of the families and, once more, what is wrong.
final class CheckDisplay {
    /// So that the end of the output stays short, however much is wrong.
    private static final int REPEATED = 20;

    private static final int MESSAGE_LENGTH = 250;

    private final Terminal terminal;
    private final Optional<PrintStream> out;
    private final boolean emulated;
    private final long begin = System.nanoTime();
    private int cases;
    private int done;

    /// @param terminal for the progress
    /// @param out for the results; empty if somebody else prints them
    /// @param emulated whether there is no GPU whose results could differ from the emulator's
    CheckDisplay(Terminal terminal, Optional<PrintStream> out, boolean emulated) {
        this.terminal = terminal;
        this.out = out;
        this.emulated = emulated;
    }

    /// @param others families that the device cannot run
    void begin(DeviceHeader header, long seed, int count, List<String> others) {
        cases = count;
        line(header.toString());
        line("");
        line("%d cases, seed %d. Errors%s as parts of what is tolerated."
                .formatted(
                        count, seed, emulated ? "" : ", and differences from the emulator (= if bits are the same),"));
        others.forEach(
                other -> line("%s is left out: its kernels do not run on %s.".formatted(other, header.architecture())));
        line("");
        line(row("", "seconds", "error", "emulator", "case"));
    }

    void add(CaseOutcome outcome) {
        done++;
        boolean leftOut = outcome.status() == Status.LEFT_OUT;
        line(row(
                label(outcome.status()),
                leftOut ? "" : "%.3f".formatted(outcome.seconds()),
                outcome.error().map(CheckDisplay::part).orElse(""),
                outcome.agreement().map(CheckDisplay::agreement).orElse(""),
                outcome.name()));
        if (!outcome.message().isEmpty() && !leftOut) {
            line("         " + outcome.message());
        }
        double left = (System.nanoTime() - begin) / 1e9 / done * (cases - done);
        terminal.status(
                "%s %d/%d  %s left".formatted(ProgressDisplay.bar(done, cases), done, cases, Units.duration(left)));
    }

    void end(List<CaseOutcome> outcomes, List<FamilySummary> families) {
        terminal.status("");
        line("");
        line(summary("family", "cases", "ok", "failed", "left out", "seconds", "error", "emulator", "identical"));
        families.forEach(family -> line(summary(family)));
        if (families.size() > 1) {
            families.stream().reduce((a, b) -> a.and("all", b)).ifPresent(all -> line(summary(all)));
        }
        line("");
        if (outcomes.size() < cases) {
            boolean fault = outcomes.stream().anyMatch(outcome -> outcome.status() == Status.FAULT);
            line((fault
                            ? "The device or its driver failed while single instructions were probed."
                            : "Single instructions do not do what the kernels count on.")
                    + " The %d other cases were not run: their results would mean nothing."
                            .formatted(cases - outcomes.size()));
        }
        List<CaseOutcome> wrong =
                outcomes.stream().filter(outcome -> isWrong(outcome.status())).toList();
        Map<String, Long> leftOut = outcomes.stream()
                .filter(outcome -> outcome.status() == Status.LEFT_OUT)
                .collect(Collectors.groupingBy(CaseOutcome::message, LinkedHashMap::new, Collectors.counting()));
        if (!wrong.isEmpty()) {
            line("%d of %d cases are wrong%s:"
                    .formatted(
                            wrong.size(), outcomes.size(), wrong.size() > REPEATED ? "; the first " + REPEATED : ""));
            wrong.stream()
                    .limit(REPEATED)
                    .forEach(outcome -> line("  %s: %s".formatted(outcome.name(), shortened(outcome))));
        } else {
            line("All %d cases%s are right."
                    .formatted(
                            outcomes.stream()
                                    .filter(outcome -> outcome.status() == Status.OK)
                                    .count(),
                            leftOut.isEmpty() ? "" : " that were run"));
        }
        leftOut.forEach((reason, count) -> line("%d cases are left out: %s.".formatted(count, reason)));
    }

    private static String shortened(CaseOutcome outcome) {
        String message = outcome.message();
        return message.length() <= MESSAGE_LENGTH ? message : message.substring(0, MESSAGE_LENGTH) + " ...";
    }

    private static boolean isWrong(Status status) {
        return status == Status.FAILED || status == Status.FAULT;
    }

    private static String label(Status status) {
        return switch (status) {
            case OK -> "ok";
            case FAILED -> "FAILED";
            case FAULT -> "FAULT";
            case LEFT_OUT -> "left out";
        };
    }

    private static String agreement(Agreement agreement) {
        return agreement.identical() ? "=" : part(agreement.difference());
    }

    private static String part(double error) {
        return error == 0
                ? "0"
                : error < 0.01 ? "<0.01" : error < 1e4 ? "%.2f".formatted(error) : "%.0e".formatted(error);
    }

    private String row(String status, String seconds, String error, String emulator, String name) {
        return emulated
                ? "%-8s %8s %8s  %s".formatted(status, seconds, error, name)
                : "%-8s %8s %8s %8s  %s".formatted(status, seconds, error, emulator, name);
    }

    private String summary(FamilySummary family) {
        return summary(
                family.family(),
                family.cases(),
                family.ok(),
                family.failed(),
                family.leftOut(),
                "%.1f".formatted(family.seconds()),
                part(family.error()),
                family.compared() == 0 ? "" : part(family.difference()),
                family.compared() == 0 ? "" : "%d/%d".formatted(family.identical(), family.compared()));
    }

    /// The last two columns are about the emulator as an oracle.
    private String summary(Object... columns) {
        String line = String.format("%-22s %6s %6s %7s %9s %8s %8s %9s %11s", columns);
        return emulated ? line.substring(0, line.length() - 21).stripTrailing() : line.stripTrailing();
    }

    private void line(String text) {
        out.ifPresent(stream -> {
            terminal.status("");
            stream.println(text);
        });
    }
}
