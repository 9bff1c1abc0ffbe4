package org.quern.ptx.syntax;

import org.quern.gpu.GpuException;

/// PTX text that cannot be read: where, what was expected there, and what was found.
public final class PtxSyntaxException extends GpuException {
    private static final long serialVersionUID = 1;

    private final int line;
    private final int column;

    PtxSyntaxException(int line, int column, String expected, String found) {
        super("PTX line %d, column %d: expected %s, found %s".formatted(line, column, expected, found));
        this.line = line;
        this.column = column;
    }

    /// From 1.
    public int line() {
        return line;
    }

    /// From 1.
    public int column() {
        return column;
    }
}
