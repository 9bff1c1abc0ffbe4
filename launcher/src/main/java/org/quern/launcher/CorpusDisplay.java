package org.quern.launcher;

import java.util.Map;
import java.util.stream.Collectors;
import org.quern.corpus.run.CorpusProgress;
import org.quern.corpus.run.CorpusReport;
import org.quern.corpus.run.CorpusReport.StageResult;
import org.quern.train.Units;

/// Shows the building of a corpus on standard error: on a terminal as a line that changes, elsewhere as a line
/// every ten seconds.
final class CorpusDisplay implements CorpusProgress {
    private static final double REDRAW_SECONDS = 0.2;
    private static final double LINE_SECONDS = 10;

    private final Terminal terminal;
    private String doing = "";
    private long start;
    private long shown;
    private long firstBytes;

    CorpusDisplay(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public synchronized void update(String what, long pages, long bytes, long totalBytes) {
        long now = System.nanoTime();
        if (!what.equals(doing)) {
            doing = what;
            start = now;
            shown = now;
            firstBytes = bytes;
            terminal.print(what);
            return;
        }
        double interval = terminal.isInteractive() ? REDRAW_SECONDS : LINE_SECONDS;
        if (now - shown < interval * 1e9) {
            return;
        }
        shown = now;
        double seconds = (now - start) * 1e-9;
        String text = "%,d pages, %,.0f pages/s".formatted(pages, pages / seconds);
        if (totalBytes > 0) {
            double speed = (bytes - firstBytes) / seconds;
            text = "%s %d %%  %s, %s/s, %s left"
                    .formatted(
                            ProgressDisplay.bar(bytes, totalBytes),
                            100 * bytes / totalBytes,
                            text,
                            Units.bytes((long) speed),
                            Units.duration((totalBytes - bytes) / Math.max(1, speed)));
        }
        if (terminal.isInteractive()) {
            terminal.status(text);
        } else {
            terminal.print(text);
        }
    }

    void end() {
        terminal.status("");
    }

    /// The stages of a run as a table, with what they dropped and why.
    static String funnel(CorpusReport report) {
        StringBuilder out = new StringBuilder();
        out.append("%,d files, %s%s%s%n"
                .formatted(
                        report.files(),
                        Units.bytes(report.inputBytes()),
                        named("; no pages: ", report.passedOver()),
                        named("; damaged: ", report.bad())));
        out.append("%-18s %12s %12s %12s  %s%n".formatted("stage", "pages in", "pages out", "bytes out", "dropped"));
        for (StageResult stage : report.stages()) {
            out.append("%-18s %,12d %,12d %12s  %s%n"
                    .formatted(
                            stage.name(),
                            stage.pagesIn(),
                            stage.pagesOut(),
                            Units.bytes(stage.bytesOut()),
                            named("", stage.dropped())));
        }
        return out.toString();
    }

    private static String named(String before, Map<String, Long> counts) {
        return counts.isEmpty()
                ? ""
                : before
                        + counts.entrySet().stream()
                                .sorted(Map.Entry.<String, Long>comparingByValue()
                                        .reversed())
                                .map(count -> "%s %,d".formatted(count.getKey(), count.getValue()))
                                .collect(Collectors.joining(", "));
    }
}
