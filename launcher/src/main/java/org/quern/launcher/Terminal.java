package org.quern.launcher;

import java.io.PrintStream;

/// Standard error: lines of text, and on a terminal one line below them that changes.
final class Terminal {
    private static final String CLEAR_LINE = "\r\033[K";
    private static final Terminal ERROR = new Terminal(System.err, Integer.getInteger("quern.columns", 0));

    private final PrintStream out;
    private final int columns;
    private String status = "";

    /// @param columns width, 0 if it is no terminal
    Terminal(PrintStream out, int columns) {
        this.out = out;
        this.columns = columns;
    }

    static Terminal error() {
        return ERROR;
    }

    /// Whether a person may be watching.
    boolean isInteractive() {
        return columns > 0;
    }

    /// Prints text, which may have several lines, above the status line.
    synchronized void print(String text) {
        String end = text.endsWith("\n") ? "" : "\n";
        out.print(status.isEmpty() ? text + end : CLEAR_LINE + text + end + status);
        out.flush();
    }

    /// Changes the status line; an empty one disappears. Does nothing if this is no terminal.
    synchronized void status(String text) {
        if (!isInteractive() || text.equals(status)) {
            return;
        }
        status = text.substring(0, Math.min(text.length(), columns - 1));
        out.print(CLEAR_LINE + status);
        out.flush();
    }
}
